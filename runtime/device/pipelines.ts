/**
 * Compute pipelines of a bundle's kernels: built asynchronously and in parallel, with explicit layouts ('auto' would drop bindings that a kernel does
 * not use), so that the first dispatch finds them ready. Equal layouts are made once.
 */
import type { Bundle, BundleKernel } from '../../compiler/bundle/format.ts';
import { SaddleError, error } from '../../compiler/diagnostics/diagnostic.ts';
import type { OpenDevice } from './device.ts';

const computeStage = 4;

export interface Pipeline {
  readonly gpu: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Builds all pipelines. Throws OPT706 with the driver's message where one is refused. */
export async function buildPipelines(bundle: Bundle, owner: OpenDevice): Promise<Map<string, Pipeline>> {
  const layouts = new Map<string, GPUBindGroupLayout>();
  const built = await owner.wait(
    Promise.all(
      bundle.kernels.map(async (kernel): Promise<[string, Pipeline]> => {
        const key = kernel.bindings.join(' ');
        const layout = layouts.get(key) ?? makeLayout(owner.device, kernel);
        layouts.set(key, layout);
        return [kernel.id, { gpu: await buildPipeline(owner.device, kernel, layout), layout }];
      }),
    ),
  );
  owner.check();
  return new Map(built);
}

function makeLayout(device: GPUDevice, kernel: BundleKernel): GPUBindGroupLayout {
  const types = { read: 'read-only-storage', read_write: 'storage', uniform: 'uniform' } as const;
  return device.createBindGroupLayout({
    entries: kernel.bindings.map((access, binding) => ({
      binding,
      visibility: computeStage,
      buffer: { type: types[access] },
    })),
  });
}

async function buildPipeline(
  device: GPUDevice,
  kernel: BundleKernel,
  layout: GPUBindGroupLayout,
): Promise<GPUComputePipeline> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: kernel.wgsl, label: kernel.id });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
  const scope = device.popErrorScope();
  const refuse = (text: string): SaddleError =>
    new SaddleError(
      error('OPT706', undefined, `the driver refused kernel '${kernel.label || kernel.id}'`, {
        place: kernel.places[0],
        notes: [text],
        hint: 'this is a bug of Saddle or of the driver: please report it with this message',
      }),
    );
  const problem = await scope;
  if (problem) {
    const info = await module.getCompilationInfo();
    const lines = info.messages.map((m) => `${m.lineNum}:${m.linePos} ${m.message}`);
    throw refuse([problem.message, ...lines].join('\n'));
  }
  try {
    return await device.createComputePipelineAsync({
      layout: pipelineLayout,
      label: kernel.id,
      // No entry point is named: a kernel has exactly one.
      compute: { module },
    });
  } catch (reason) {
    throw refuse(reason instanceof Error ? reason.message : String(reason));
  }
}
