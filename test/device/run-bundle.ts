/** A minimal executor of bundles for tests: one step per submit, everything read back at once. The real one is in `runtime/device/`. */
import { flatCommands } from '../../compiler/bundle/commands.ts';
import type { Bundle, BundleEntry } from '../../compiler/bundle/format.ts';
import { evaluateHost, type Scalars } from '../../compiler/bundle/host-program.ts';
import { sizeOf } from '../../compiler/ir/tensor/graph.ts';
import type { DType, TensorType } from '../../compiler/ops/types.ts';
import { settled } from './device.ts';

export class BundleRunner {
  private readonly device: GPUDevice;
  private readonly bundle: Bundle;
  private readonly buffers = new Map<string, GPUBuffer>();
  private readonly pipelines = new Map<string, GPUComputePipeline>();
  private readonly groups = new Map<string, GPUBindGroup>();
  private readonly wait: <T>(p: Promise<T>) => Promise<T>;

  constructor(device: GPUDevice, bundle: Bundle) {
    this.device = device;
    this.bundle = bundle;
    this.wait = settled;
  }

  async prepare(): Promise<this> {
    const { device, bundle } = this;
    for (const b of bundle.buffers) {
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      this.buffers.set(b.id, device.createBuffer({ size: b.bytes, usage }));
    }
    for (const k of bundle.kernels) {
      device.pushErrorScope('validation');
      const module = device.createShaderModule({ code: k.wgsl });
      const layout = device.createBindGroupLayout({
        entries: k.bindings.map((access, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
        })),
      });
      const pipeline = device.createComputePipeline({
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main' },
      });
      const error = await this.wait(device.popErrorScope());
      if (error) throw new Error(`kernel '${k.label}': ${error.message}\n${k.wgsl}`);
      this.pipelines.set(k.id, pipeline);
    }
    return this;
  }

  writeData(set: string, field: string, values: Float32Array | Int32Array | Uint8Array): void {
    const bytes = new Uint8Array(Math.ceil(values.byteLength / 4) * 4);
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    this.device.queue.writeBuffer(this.buffer(`data:${set}.${field}`), 0, bytes);
  }

  writeCell(id: string, values: ArrayLike<number>): void {
    const cell = this.cell(id);
    this.device.queue.writeBuffer(this.buffer(cell.buffer), cell.offset, encode(values, cell.type.dtype));
  }

  async readCell(id: string): Promise<number[]> {
    const cell = this.cell(id);
    return this.read(cell.buffer, cell.offset, cell.type);
  }

  /** Runs an entry once; returns its outputs and results by name. */
  async run(
    id: string,
    scalars: Partial<Scalars> = {},
    inputs: Record<string, ArrayLike<number>> = {},
  ): Promise<Record<string, number[]>> {
    const entry = this.encode(id, scalars, inputs);
    const out: Record<string, number[]> = {};
    for (const o of entry.outputs) out[o.name] = await this.read('reports', 4 * o.word, { dtype: o.dtype, shape: [] });
    for (const r of entry.results) out[r.name] = await this.read(r.buffer, r.offset, r.type);
    const [fault] = await this.read('faults', 0, { dtype: 'u32', shape: [] });
    if (fault !== 0) throw new Error(`fault: ${entry.faults[fault - 1].message}`);
    return out;
  }

  /** Submits an entry `count` times without reading anything; resolves when done. */
  async repeat(id: string, count: number, scalars: (k: number) => Partial<Scalars>): Promise<void> {
    for (let k = 0; k < count; k++) this.encode(id, scalars(k), {});
    await this.wait(this.device.queue.onSubmittedWorkDone());
  }

  private encode(id: string, scalars: Partial<Scalars>, inputs: Record<string, ArrayLike<number>>): BundleEntry {
    const { device, bundle } = this;
    const entry = bundle.entries.find((e) => e.id === id);
    if (!entry) throw new Error(`no entry ${id}`);
    const all: Scalars = { seed: 0, step: 0, steps: 1, hyper: () => 0, ...scalars };
    const values = evaluateHost(entry.host, all);
    const words = Math.max(0, ...entry.params.map((p) => p.word + 1));
    const slot = new DataView(new ArrayBuffer(Math.max(4, 4 * words)));
    for (const p of entry.params) setWord(slot, 4 * p.word, values[p.value][p.component], p.dtype);
    device.queue.writeBuffer(this.buffer('params'), 0, slot.buffer);
    for (const i of entry.inputs)
      device.queue.writeBuffer(this.buffer(i.buffer), i.offset, encode(inputs[i.name], i.type.dtype));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const c of flatCommands(entry.commands, (value) => values[value][0] !== 0)) {
      if (c.kind !== 'dispatch') throw new Error('copy commands are not used');
      const pipeline = this.pipelines.get(c.kernel) as GPUComputePipeline;
      const key = `${c.kernel} ${c.bindings.map((b) => b.buffer).join()}`;
      let group = this.groups.get(key);
      if (!group) {
        group = device.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: c.bindings.map((b, binding) => ({ binding, resource: { buffer: this.buffer(b.buffer) } })),
        });
        this.groups.set(key, group);
      }
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...c.groups);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
    return entry;
  }

  private async read(buffer: string, offset: number, type: TensorType): Promise<number[]> {
    const { device } = this;
    const n = sizeOf(type.shape);
    if (n === 0) return [];
    const staging = device.createBuffer({ size: 4 * n, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.buffer(buffer), offset, staging, 0, 4 * n);
    device.queue.submit([encoder.finish()]);
    await this.wait(staging.mapAsync(GPUMapMode.READ));
    const bytes = staging.getMappedRange().slice(0);
    staging.destroy();
    if (type.dtype === 'f32') return [...new Float32Array(bytes)];
    return type.dtype === 'i32' ? [...new Int32Array(bytes)] : [...new Uint32Array(bytes)];
  }

  dispose(): void {
    for (const b of this.buffers.values()) b.destroy();
  }

  private buffer(id: string): GPUBuffer {
    const b = this.buffers.get(id);
    if (!b) throw new Error(`no buffer ${id}`);
    return b;
  }

  private cell(id: string): Bundle['cells'][number] {
    const cell = this.bundle.cells.find((c) => c.id === id);
    if (!cell) throw new Error(`no cell ${id}`);
    return cell;
  }
}

function encode(values: ArrayLike<number>, dtype: DType): ArrayBuffer {
  if (dtype === 'f32') return Float32Array.from(values).buffer;
  return dtype === 'i32' ? Int32Array.from(values).buffer : Uint32Array.from(values).buffer;
}

function setWord(view: DataView, at: number, value: number, dtype: DType): void {
  if (dtype === 'f32') view.setFloat32(at, value, true);
  else if (dtype === 'i32') view.setInt32(at, value, true);
  else view.setUint32(at, value, true);
}
