/**
 * Runs the WGSL of single primitives on a device: each case is a scalar expression over operand words, evaluated for many elements. The
 * kernels are as plain as can be, so that what is tested is the text of the records and nothing else.
 */
import type { Attrs, DType, WgslScalar } from '../../compiler/ops/types.ts';
import { closeDevice, openDevice } from '../device/device.ts';

/** One expression, and its operands: `count` values each, as 32-bit words. */
export interface KernelCase {
  readonly wgsl: WgslScalar;
  readonly attrs: Attrs;
  readonly dtypes: { readonly inputs: readonly DType[]; readonly output: DType };
  readonly operands: readonly Uint32Array[];
  readonly count: number;
  /** The flat index is the first operand (the 'indexed' family). */
  readonly indexed?: boolean;
  /** Evaluate four elements at once, as vec4 operands; `count` must be a multiple of 4. */
  readonly vector?: boolean;
}

const words = new DataView(new ArrayBuffer(4));

/** A value as the word that holds it on the device. */
export function toWord(value: number, dtype: DType): number {
  if (dtype === 'f32') words.setFloat32(0, value);
  else words.setInt32(0, value | 0);
  return words.getUint32(0);
}

export function fromWord(word: number, dtype: DType): number {
  words.setUint32(0, word);
  if (dtype === 'f32') return words.getFloat32(0);
  return dtype === 'i32' ? words.getInt32(0) : word;
}

const read: Record<DType, (word: string) => string> = {
  f32: (w) => `bitcast<f32>(${w})`,
  i32: (w) => `bitcast<i32>(${w})`,
  u32: (w) => w,
  bool: (w) => `(${w} != 0u)`,
};
const write: Record<DType, (value: string) => string> = {
  f32: (v) => `bitcast<u32>(${v})`,
  i32: (v) => `bitcast<u32>(${v})`,
  u32: (v) => v,
  bool: (v) => `select(0u, 1u, ${v})`,
};

/** Statement that defines the operand `name` from the words at `start`. */
function load(name: string, start: number, dtype: DType, vector: boolean): string {
  if (!vector) return `let ${name} = ${read[dtype](`operands[${start}u + i]`)};`;
  const parts = [0, 1, 2, 3].map((k) => read[dtype](`operands[${start + k}u + 4u * i]`));
  return `let ${name} = vec4<${dtype}>(${parts.join(', ')});`;
}

/** Statements that store a value at `start`. */
function store(value: string, start: number, dtype: DType, vector: boolean): string {
  if (!vector) return `results[${start}u + i] = ${write[dtype](value)};`;
  const parts = ['x', 'y', 'z', 'w'].map((c, k) => `results[${start + k}u + 4u * i] = ${write[dtype](`value.${c}`)};`);
  return `let value = ${value}; ${parts.join(' ')}`;
}

/** One kernel that evaluates all cases, and where their operands and results lie. */
function program(cases: readonly KernelCase[]): { code: string; input: Uint32Array<ArrayBuffer>; results: number } {
  const functions = new Set<string>();
  const input: number[] = [];
  const blocks: string[] = [];
  let results = 0;
  for (const c of cases) {
    c.wgsl.functions?.forEach((f) => functions.add(f));
    const vector = c.vector ?? false;
    const loads = c.operands.map((operand, k) => {
      const start = input.length;
      for (const word of operand) input.push(word);
      return load(`v${k}`, start, c.dtypes.inputs[k], vector);
    });
    const args = [...(c.indexed ? ['i'] : []), ...c.operands.map((_, k) => `v${k}`)];
    const stored = store(c.wgsl.expr(args, c.dtypes, c.attrs), results, c.dtypes.output, vector);
    blocks.push(`  if (i < ${vector ? c.count / 4 : c.count}u) { ${loads.join(' ')} ${stored} }`);
    results += c.count;
  }
  const code = `@group(0) @binding(0) var<storage, read> operands: array<u32>;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;
${[...functions].join('\n')}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x;
${blocks.join('\n')}
}`;
  return { code, input: Uint32Array.from(input.length > 0 ? input : [0]), results };
}

export class KernelRunner {
  private readonly device: GPUDevice;

  private constructor(device: GPUDevice) {
    this.device = device;
  }

  static async open(): Promise<KernelRunner> {
    return new KernelRunner((await openDevice()).device);
  }

  /** Result words of each case. Throws with the compiler's message where the WGSL is refused. */
  async run(cases: readonly KernelCase[]): Promise<Uint32Array[]> {
    const { device } = this;
    const { code, input, results } = program(cases);
    device.pushErrorScope('validation');
    const operands = device.createBuffer({
      size: input.byteLength,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(operands, 0, input);
    const size = 4 * results;
    const output = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    const back = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const module = device.createShaderModule({ code });
    const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [operands, output].map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(Math.max(...cases.map((c) => c.count)) / 64));
    pass.end();
    encoder.copyBufferToBuffer(output, 0, back, 0, size);
    device.queue.submit([encoder.finish()]);
    const problem = await device.popErrorScope();
    if (problem) throw new Error(`${problem.message}\n${code}`);
    await back.mapAsync(GPUMapMode.READ);
    const all = new Uint32Array(back.getMappedRange().slice(0));
    for (const buffer of [operands, output, back]) buffer.destroy();
    let start = 0;
    return cases.map((c) => all.slice(start, (start += c.count)));
  }

  close(): void {
    closeDevice();
  }
}
