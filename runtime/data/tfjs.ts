/**
 * The weights of TensorFlow.js: `model.json` with a manifest of names, types and shapes, and shards beside it, which hold all numbers one after the other
 * (github.com/tensorflow/tfjs, tfjs-core/src/io/types.ts). float32 and int32 are read; quantized weights are refused.
 */
import { decode, type Element } from './elements.ts';
import { readAll, type ByteSource } from './files.ts';
import { MAX_AXES, MAX_BYTES, MAX_ENTRIES, MAX_MODEL_JSON } from './limits.ts';
import { damaged, quote, tooLarge, unsupported } from './refusals.ts';
import { rowSize, safeProduct, type RawArray, type RawTable } from './table.ts';

const ELEMENTS: ReadonlyMap<unknown, Element> = new Map([
  ['float32', 'f4'],
  ['int32', 'i4'],
]);

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly element: Element;
  /** First byte among those of its group. */
  readonly start: number;
}

/** Opens a `model.json` whose shards lie beside it. Each tensor is a field, its first axis the rows; a number without axes has one row. Throws OPT601, OPT602, OPT605 to OPT607. */
export async function openTfjs(file: ByteSource): Promise<RawTable> {
  const groups = readManifest(file.name, await readJson(file));
  const arrays: RawArray[] = [];
  /** Rows of the first tensor with an axis. */
  let tall: number | undefined;
  for (const group of groups) {
    const entries = layOut(file.name, group.weights);
    const last = entries[entries.length - 1];
    const total = last ? last.start + bytesOf(last) : 0;
    if (total > MAX_BYTES) tooLarge(file.name, `its weights take ${total} bytes, at most ${MAX_BYTES} are read`);
    const shards = shardReader(file, group.paths, total);
    for (const e of entries) {
      tall ??= e.shape[0];
      const shape = e.shape.length > 0 ? e.shape : [1];
      const stride = rowSize(shape) * 4;
      arrays.push({
        name: e.name,
        numbers: e.element === 'f4' ? 'float' : 'integer',
        shape,
        scale: 1,
        read: async (from, to) =>
          decode(file.name, await shards(e.start + from * stride, e.start + to * stride), e.element, true),
      });
    }
  }
  if (arrays.length === 0) damaged(file.name, 'at least one tensor', 'none');
  return { file: file.name, rows: tall ?? 1, arrays, anonymous: false };
}

async function readJson(file: ByteSource): Promise<unknown> {
  if (file.size > MAX_MODEL_JSON) tooLarge(file.name, `it has ${file.size} bytes, at most ${MAX_MODEL_JSON} are read`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(await readAll(file)));
  } catch (cause) {
    return damaged(file.name, 'JSON', cause instanceof Error ? cause.message.slice(0, 120) : 'other text');
  }
}

interface Group {
  readonly paths: readonly string[];
  readonly weights: readonly Readonly<Record<string, unknown>>[];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readManifest(file: string, json: unknown): Group[] {
  const manifest = isRecord(json) ? json.weightsManifest : undefined;
  if (!Array.isArray(manifest))
    unsupported(
      file,
      'JSON without a weightsManifest',
      'the only JSON read here is the model.json of TensorFlow.js; save tables as csv',
    );
  return (manifest as unknown[]).map((group) => {
    if (!isRecord(group)) return damaged(file, 'records in the weightsManifest', typeof group);
    const { paths, weights } = group;
    if (!Array.isArray(paths) || !paths.every((p): p is string => typeof p === 'string'))
      return damaged(file, 'paths of shards', 'others');
    if (!Array.isArray(weights) || !weights.every(isRecord)) return damaged(file, 'records of weights', 'others');
    if (weights.length > MAX_ENTRIES || paths.length > MAX_ENTRIES)
      tooLarge(file, `it has more than ${MAX_ENTRIES} tensors or shards`);
    return { paths, weights };
  });
}

function layOut(file: string, weights: Group['weights']): Entry[] {
  let start = 0;
  return weights.map(({ name, shape, dtype, quantization }) => {
    if (typeof name !== 'string') return damaged(file, 'a name of each tensor', typeof name);
    const element = ELEMENTS.get(dtype);
    if (element === undefined || quantization !== undefined)
      return unsupported(
        file,
        `the tensor ${quote(name)} of ${quantization === undefined ? `type ${String(dtype).slice(0, 40)}` : 'quantized numbers'}`,
        'convert the model with float32 weights',
      );
    const whole = Array.isArray(shape) && shape.every((n): n is number => Number.isSafeInteger(n) && n >= 0);
    if (!whole || shape.length > MAX_AXES || safeProduct(shape) === undefined)
      return damaged(file, `a shape of ${quote(name)}`, 'none that is legal');
    const entry = { name, shape, element, start };
    start += bytesOf(entry);
    return entry;
  });
}

function bytesOf({ shape }: Pick<Entry, 'shape'>): number {
  return 4 * (safeProduct(shape) ?? 0);
}

/** Reads bytes of a group's shards, which are opened for each read and must hold `total` bytes together. */
function shardReader(file: ByteSource, paths: readonly string[], total: number) {
  let sizes: Promise<number[]> | undefined;
  const sizesOf = async () => {
    const found: number[] = [];
    for (const path of paths) {
      const shard = await beside(file, path);
      found.push(shard.size);
      await shard.close();
    }
    const sum = found.reduce((a, b) => a + b, 0);
    if (sum !== total) damaged(file.name, `shards of ${total} bytes together`, `${sum}`);
    return found;
  };
  return async (from: number, to: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(to - from);
    let first = 0;
    for (const [i, size] of (await (sizes ??= sizesOf())).entries()) {
      const [a, b] = [Math.max(from, first), Math.min(to, first + size)];
      if (a < b) {
        const shard = await beside(file, paths[i]);
        try {
          const part = await shard.read(a - first, b - a);
          if (part.length !== b - a) damaged(shard.name, `${b - a} bytes`, `${part.length}`);
          bytes.set(part, a - from);
        } finally {
          await shard.close();
        }
      }
      first += size;
    }
    return bytes;
  };
}

function beside(file: ByteSource, path: string): Promise<ByteSource> {
  return file.sibling?.(path) ?? unsupported(file.name, 'further files', 'give the model.json as a file on disk');
}
