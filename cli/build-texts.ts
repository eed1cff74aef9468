/** The texts that `saddle build` writes: a module around a bundle, and its declarations. */
import type { Bundle, TensorType } from '../compiler/bundle/format.ts';
import type { NumberArray } from '../runtime/backend.ts';

/** The module: plain ES, nothing of Node or the DOM but what both have. */
export function moduleText(name: string, bundle: Bundle, parameters: ReadonlyMap<string, NumberArray> | undefined): string {
  const values = parameters && Object.fromEntries([...parameters].map(([id, array]) => [id, encoded(array)]));
  return [
    `// Made by 'saddle build' from ${JSON.stringify(`${name}.opt`)}: do not edit. See ${JSON.stringify(`${name}.d.ts`)} for what it offers.`,
    `import { load } from './saddle-runtime.js';`,
    `export { openAdapter, openPageDevice } from './saddle-runtime.js';`,
    `export const bundle = ${JSON.stringify(bundle)};`,
    ...(values ? [`const parameters = ${JSON.stringify(values)};`, decoder] : []),
    'export async function start(options) {',
    '  const session = await load(bundle).start(options);',
    ...(values ? ['  for (const id of Object.keys(parameters)) await session.set(id, { [id]: decode(parameters[id]) });'] : []),
    '  return session;',
    '}',
    '',
  ].join('\n');
} // prettier-ignore

interface Encoded {
  readonly type: 'f32' | 'i32' | 'u32';
  /** Little-endian words in base64. */
  readonly words: string;
}

function encoded(array: NumberArray): Encoded {
  const type = array instanceof Int32Array ? 'i32' : array instanceof Uint32Array ? 'u32' : 'f32';
  const view = new DataView(new ArrayBuffer(4 * array.length));
  array.forEach((value: number, i: number) => {
    if (type === 'f32') view.setFloat32(4 * i, value, true);
    else if (type === 'i32') view.setInt32(4 * i, value, true);
    else view.setUint32(4 * i, value, true);
  });
  return { type, words: Buffer.from(view.buffer).toString('base64') };
}

const decoder = `function decode({ type, words }) {
  const text = atob(words);
  const view = new DataView(new ArrayBuffer(text.length));
  for (let i = 0; i < text.length; i++) view.setUint8(i, text.charCodeAt(i));
  const read = { f32: 'getFloat32', i32: 'getInt32', u32: 'getUint32' }[type];
  return Array.from({ length: text.length / 4 }, (_, i) => view[read](4 * i, true));
}`;

/** Its types: each exported function as a signature of \`call\`. */
export function declarationsText(name: string, bundle: Bundle): string {
  const calls = bundle.exports.flatMap(({ name: exported, entry: id }) => {
    const entry = bundle.entries.find((e) => e.id === id);
    if (!entry) return [];
    const inputs = entry.inputs.map((i) => `${JSON.stringify(i.name)}: Numbers /* ${typeText(i.type)} */`).join('; ');
    const results = entry.results.map((r) => `${JSON.stringify(r.name)}: ${arrayType(r.type)} /* ${typeText(r.type)} */`);
    return [`  call(name: ${JSON.stringify(exported)}, inputs: { ${inputs} }): Promise<{ ${results.join('; ')} }>;`];
  }); // prettier-ignore
  const data = bundle.data.map((d) => JSON.stringify(d.name)).join(' | ');
  const field = `Readonly<Record<string, Float32Array | Int32Array | Uint8Array>>`;
  return `/** ${name.replaceAll('*/', '')}, compiled by Saddle. Tensors are flat arrays in row-major order. */
export type Numbers = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array | readonly number[];
export interface Report {
  readonly kind: 'step' | 'eval';
  readonly run: string;
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}
export interface Session {
${calls.join('\n')}
  /** Goes on with the schedule; yields the reports of each step and eval. */
  train(options?: { readonly steps?: number; readonly signal?: AbortSignal }): AsyncGenerator<Report, void>;
  eval(): Promise<Map<string, Map<string, number>>>;
  /** Cells of a model, or one cell. */
  get(name: string): Promise<Record<string, { readonly values: Float32Array | Int32Array | Uint32Array }>>;
  set(name: string, values: Readonly<Record<string, Numbers>>): Promise<void>;
  save(): Promise<Uint8Array>;
  restore(bytes: Uint8Array): Promise<void>;
  dispose(): Promise<void>;
}
/** A device: \`openPageDevice(navigator.gpu)\` in a page, \`openDevice()\` of saddle-lang/node in Node. */
export interface Device {
  close(): void;
}
export function openPageDevice(gpu: unknown): Promise<Device>;
export function openAdapter(adapter: unknown, keep: readonly unknown[], wait: <T>(promise: Promise<T>) => Promise<T>): Promise<Device>;
export function start(options: {
  readonly device: Device;
  readonly seed?: number;
  readonly steps?: number;
  readonly hypers?: Readonly<Record<string, number>>;${data ? `\n  readonly data: (data: { readonly name: ${data} }) => ${field} | Promise<${field}>;` : ''}
  readonly resume?: Uint8Array;
}): Promise<Session>;
export const bundle: unknown;
`;
}

function arrayType(type: TensorType): string {
  return type.dtype === 'f32' ? 'Float32Array' : type.dtype === 'i32' ? 'Int32Array' : 'Uint32Array';
}

function typeText({ dtype, shape }: TensorType): string {
  return shape.length === 0 ? dtype : `${dtype}[${shape.join(', ')}]`;
}
