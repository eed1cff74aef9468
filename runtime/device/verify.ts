/**
 * Checks a bundle against a device before anything runs. WebGPU answers a dispatch beyond its limits with silence and zeros, so every limit that a
 * bundle can exceed is asked here, and the error names what exceeds it.
 */
import { eachCommand } from '../../compiler/bundle/commands.ts';
import type { Bundle } from '../../compiler/bundle/format.ts';
import { fail } from '../../compiler/diagnostics/diagnostic.ts';

const hint = 'compile for this device, or use smaller batches or a smaller model';

/** Throws SaddleError OPT703 where the bundle asks for more than the device grants. */
export function verifyLimits(bundle: Bundle, limits: GPUSupportedLimits, features: ReadonlySet<string>): void {
  const refuse = (message: string): never => fail('OPT703', undefined, message, { hint });
  for (const buffer of bundle.buffers) {
    if (buffer.bytes > limits.maxBufferSize)
      refuse(`buffer '${buffer.id}' has ${buffer.bytes} bytes; this device allows ${limits.maxBufferSize}`);
  }
  for (const kernel of bundle.kernels) {
    const name = `kernel '${kernel.label || kernel.id}'`;
    const storage = kernel.bindings.filter((b) => b !== 'uniform').length;
    if (storage > limits.maxStorageBuffersPerShaderStage)
      refuse(`${name} binds ${storage} buffers; this device allows ${limits.maxStorageBuffersPerShaderStage}`);
    if (kernel.bindings.length - storage > limits.maxUniformBuffersPerShaderStage)
      refuse(`${name} binds more uniform buffers than this device's ${limits.maxUniformBuffersPerShaderStage}`);
    const [x, y, z] = kernel.workgroup;
    if (
      x * y * z > limits.maxComputeInvocationsPerWorkgroup ||
      x > limits.maxComputeWorkgroupSizeX ||
      y > limits.maxComputeWorkgroupSizeY ||
      z > limits.maxComputeWorkgroupSizeZ
    )
      refuse(
        `${name} has workgroups of ${x} x ${y} x ${z}; this device allows ${limits.maxComputeInvocationsPerWorkgroup}`,
      );
    for (const feature of kernel.features)
      if (!features.has(feature)) refuse(`${name} needs '${feature}', which this device does not have`);
  }
  const bytesOf = new Map(bundle.buffers.map((b) => [b.id, b.bytes]));
  const kernels = new Map(bundle.kernels.map((k) => [k.id, k]));
  for (const entry of bundle.entries) {
    eachCommand(entry.commands, (command) => {
      if (command.kind !== 'dispatch') return;
      const kernel = kernels.get(command.kernel);
      const name = `kernel '${kernel?.label || command.kernel}'`;
      for (const groups of command.groups)
        if (groups > limits.maxComputeWorkgroupsPerDimension)
          refuse(
            `${name} has ${groups} groups in one dimension; this device allows ${limits.maxComputeWorkgroupsPerDimension}`,
          );
      command.bindings.forEach((binding, i) => {
        const bytes = bytesOf.get(binding.buffer) ?? 0;
        const uniform = kernel?.bindings[i] === 'uniform';
        const most = uniform ? limits.maxUniformBufferBindingSize : limits.maxStorageBufferBindingSize;
        if (bytes > most) refuse(`${name} binds ${bytes} bytes of '${binding.buffer}'; this device allows ${most}`);
      });
    });
  }
}
