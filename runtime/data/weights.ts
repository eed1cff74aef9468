/** Files of initial values for models: what they hold, by the paths of parameters. safetensors (checkpoints among them) and the weights of TensorFlow.js. */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import { cellPrefix } from '../checkpoint/checkpoint.ts';
import type { DataHost } from './files.ts';
import { openTable } from './formats.ts';
import { quote } from './refusals.ts';

/** As `compile` takes it. */
export interface DescribedWeights {
  readonly source: string;
  readonly file: string;
  readonly tensors: ReadonlyMap<string, { readonly name: string; readonly shape: readonly number[] }>;
}

/** Data source that stands for the file of a model. */
export const weightSource = (model: string): string => `load:${model}`;

/** Whether a data source stands for the file of a model. */
export const isWeightSource = (source: string): boolean => source.startsWith('load:');

/**
 * What a file, given by the user, holds for a model: of a checkpoint its cells. Names that begin with the model's (`Net.linear_0.W`, in a checkpoint with runs `a/Net.linear_0.W`) count
 * alone where there are any; else all names do, as paths within the model. A slash in a name is read as a dot. Throws OPT601, OPT605 to OPT607, OPT655.
 */
export async function describeWeights(model: string, path: string, host: DataHost): Promise<DescribedWeights> {
  const file = await host.open(path, true);
  try {
    const { arrays, columns } = await openTable(file);
    if (columns || arrays.some((a) => a.name === ''))
      fail('OPT655', undefined, `${quote(path)} holds no named tensors`, {
        hint: 'give a .safetensors file or a model.json of TensorFlow.js',
      });
    // States of rules (`Net.W#adam.m`) are nobody's parameters.
    const named = cellsOf(arrays).filter((a) => !a.called.includes('#'));
    const owners = new Set(named.flatMap(({ called }) => ownerOf(called, model) ?? []));
    if (owners.size > 1)
      fail('OPT655', undefined, `${quote(path)} holds ${model} of several runs: ${[...owners].join(', ')}`, {
        hint: 'save the parameters of one of them: `session.get("a.Net")`',
      });
    const [owner] = owners;
    const taken = owner === undefined ? named : named.filter(({ called }) => called.startsWith(owner));
    const tensors = taken.map(
      ({ called, name, shape }) => [pathOf(called.slice(owner?.length ?? 0)), { name, shape }] as const,
    );
    return { source: weightSource(model), file: path, tensors: new Map(tensors) };
  } finally {
    await file.close();
  }
}

interface Called {
  /** As the tensor is found in the file. */
  readonly name: string;
  readonly called: string;
  readonly shape: readonly number[];
}

/** The tensors of a file, those of a checkpoint by the names of its cells and without its series. */
function cellsOf(arrays: readonly { readonly name: string; readonly shape: readonly number[] }[]): Called[] {
  const cells = arrays.filter(({ name }) => name.startsWith(cellPrefix));
  const cut = cells.length > 0 ? cellPrefix.length : 0;
  return (cut > 0 ? cells : arrays).map(({ name, shape }) => ({ name, called: name.slice(cut), shape }));
}

/** `Net.` or `run/Net.` where the name begins so. */
function ownerOf(name: string, model: string): string | undefined {
  const end = name.indexOf(`${model}.`);
  const before = name.slice(0, Math.max(0, end));
  return end === 0 || (end > 0 && /^[^/.]+\/$/.test(before)) ? `${before}${model}.` : undefined;
}

function pathOf(name: string): string {
  return name.replaceAll('/', '.');
}
