/**
 * Initial values of a model's parameters from a file (`--load Net=file`): each takes the place of what the model's text says, wherever that is read. All of
 * a model's parameters are found in the file, with their shapes, and all that the file gives the model is used; anything else is one error for each mistake.
 * States of layers (running statistics) are all in the file as well, or none of them is, as in files of parameters alone.
 */
import { error } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Node, TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';

/** What a file gives to one model, and the source under which the runtime finds it. */
export interface WeightFile {
  /** Data source that stands for the file: `load:Net`. */
  readonly source: string;
  /** As named in messages. */
  readonly file: string;
  /** By the parameter's path within the model (`linear_0.W`): name in the file, and shape. */
  readonly tensors: ReadonlyMap<string, { readonly name: string; readonly shape: readonly number[] }>;
}

/** A state of a layer whose model has a file. */
export interface LoadedState {
  readonly model: string;
  readonly type: TensorType;
  readonly span: Span;
  readonly found: boolean;
}

const hint =
  'the file must hold all parameters of the model under their names (`saddle explain --stage program` lists them): nothing is loaded by halves';

/** The initial value of a parameter (or of a state, which the file may lack) from the model's file, or undefined where the model has none. A mistake is noted, and the text's own value stands. */
export function loadedValue(
  e: Elaboration,
  model: string,
  path: string,
  type: TensorType,
  kind: 'parameter' | 'state',
  span: Span,
): Node | undefined {
  const weights = e.options.weights?.get(model);
  if (!weights) return undefined;
  e.loadedPaths.add(`${model}.${path}`);
  const tensor = weights.tensors.get(path);
  if (kind === 'state') e.loadedStates.set(`${model}.${path}`, { model, type, span, found: tensor !== undefined });
  if (!tensor && kind === 'state') return undefined;
  const note = (message: string, help = hint) => void e.errors.push(error('OPT655', span, message, { hint: help }));
  if (!tensor) {
    const near = didYouMean(
      path,
      [...weights.tensors.keys()].filter((p) => !e.loadedPaths.has(`${model}.${p}`)),
    );
    note(`'${weights.file}' has no tensor for the parameter ${model}.${path} (${e.typeText(type)})`, near ?? hint);
    return undefined;
  }
  // A number of its own is one row of a file.
  const shape = type.shape.length === 0 ? [1] : type.shape;
  const given = tensor.shape.length === 0 ? [1] : tensor.shape;
  const storage = type.dtype === 'i32' ? 'i32' : 'f32';
  const same = given.length === shape.length && given.every((n, i) => n === shape[i]);
  if (!same || storage !== type.dtype) {
    const why = same ? ', and only f32 and i32 are loaded' : '';
    note(
      `${model}.${path} is ${e.typeText(type)}, but '${tensor.name}' in '${weights.file}' has shape [${tensor.shape.join(', ')}]${why}`,
    );
    return undefined;
  }
  const name = `${weights.source}.${path}`;
  const whole = { dtype: type.dtype, shape };
  if (!e.data.some((d) => d.name === name)) {
    const field = { name: 'value', type: whole, storage, scale: 1, column: `"${tensor.name}"` } as const;
    e.data.push({ name, source: weights.source, rows: shape[0], fields: [field], span });
  }
  return e.graph.at(span, () => {
    const node = e.graph.parameter('data', `${name}.value`, whole);
    return type.shape.length === 0 ? e.make('reshape', [node], { shape: [] }) : node;
  });
}

/** What a file gives and no parameter took, and files for models that the program does not have. */
export function checkLoaded(e: Elaboration): void {
  const models = [...new Set(e.models.map((m) => m.name))];
  for (const [model, weights] of e.options.weights ?? []) {
    if (!models.includes(model)) {
      const known = models.length > 0 ? `its models are ${models.join(', ')}` : 'it has none';
      e.errors.push(
        error('OPT655', undefined, `--load: the program has no model '${model}'`, {
          hint: didYouMean(model, models) ?? known,
        }),
      );
      continue;
    }
    checkStates(e, model, weights);
    const paths = [...e.loadedPaths].filter((p) => p.startsWith(`${model}.`)).map((p) => p.slice(model.length + 1));
    const extra = [...weights.tensors.keys()].filter((path) => !paths.includes(path));
    for (const path of extra.slice(0, 10))
      e.errors.push(
        error(
          'OPT655',
          undefined,
          `'${weights.file}' holds '${weights.tensors.get(path)?.name}', but ${model} has no parameter ${path}`,
          {
            hint:
              didYouMean(path, paths) ??
              (paths.length > 0 ? `its parameters are ${paths.slice(0, 12).join(', ')}` : 'nothing of it is used'),
          },
        ),
      );
  }
}

/** States that a file lacks although it has others of the model. */
function checkStates(e: Elaboration, model: string, weights: WeightFile): void {
  const states = [...e.loadedStates].filter(([, state]) => state.model === model);
  if (!states.some(([, { found }]) => found)) return;
  for (const [path, { type, span, found }] of states)
    if (!found)
      e.errors.push(
        error('OPT655', span, `'${weights.file}' has no tensor for the state ${path} (${e.typeText(type)})`, {
          hint: 'a file holds all states of the layers of a model, or none of them: they then begin as their text says',
        }),
      );
}
