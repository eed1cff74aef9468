/** Checks what callers hand to a session by name: models and cells, values for cells, arguments of exports. */
import type { Bundle, BundleEntry, TensorType } from '../compiler/bundle/format.ts';
import { fail } from '../compiler/diagnostics/diagnostic.ts';
import { didYouMean } from '../compiler/diagnostics/suggest.ts';
import type { NumberArray } from './backend.ts';
import { elements } from './device/words.ts';

/** Row-major numbers by name. */
export type Values = Readonly<Record<string, NumberArray | readonly number[]>>;

function unknown(message: string, name: string, known: readonly string[]): never {
  return fail('OPT850', undefined, message, {
    hint: didYouMean(name, known) ?? (known.length > 0 ? `there are ${known.slice(0, 12).join(', ')}` : undefined),
  });
}

/** Ids of the cells of a model (by its displayed name) or of one cell (by its id). Throws SaddleError OPT850. */
export function cellsNamed(bundle: Bundle, name: string): readonly string[] {
  const model = bundle.models.find((m) => m.name === name);
  if (model) return model.cells;
  if (bundle.cells.some((c) => c.id === name)) return [name];
  const known = [...bundle.models.map((m) => m.name), ...bundle.cells.map((c) => c.id)];
  return unknown(`the program has no model or cell '${name}'`, name, known);
}

/** Values for cells of `name`, checked. Throws SaddleError OPT850 for cells that it does not have, OPT852 for wrong lengths. */
export function cellValues(bundle: Bundle, name: string, values: Values): Map<string, NumberArray> {
  const ids = cellsNamed(bundle, name);
  const checked = new Map<string, NumberArray>();
  for (const [id, array] of Object.entries(values)) {
    if (!ids.includes(id)) unknown(`'${name}' has no cell '${id}'`, id, ids);
    const type = bundle.cells.find((c) => c.id === id)?.type as TensorType;
    checked.set(id, numbers(`cell '${id}'`, array, type));
  }
  return checked;
}

/** The entry of an export. Throws SaddleError OPT850. */
export function exportNamed(bundle: Bundle, name: string): BundleEntry {
  const found = bundle.exports.find((e) => e.name === name);
  const entry = found && bundle.entries.find((e) => e.id === found.entry);
  const known = bundle.exports.map((e) => e.name);
  return entry ?? unknown(`the program exports no '${name}'`, name, known);
}

/** Arguments of an export, checked: all of them, no others, of the right length. Throws SaddleError OPT852. */
export function exportInputs(name: string, entry: BundleEntry, args: Values): Record<string, NumberArray> {
  const known = entry.inputs.map((i) => i.name);
  for (const given of Object.keys(args)) {
    if (!known.includes(given))
      fail('OPT852', undefined, `'${name}' has no argument '${given}'`, {
        hint: didYouMean(given, known) ?? `its arguments are ${known.join(', ')}`,
      });
  }
  const inputs = entry.inputs.map((input) => {
    if (!Object.hasOwn(args, input.name))
      fail('OPT852', undefined, `'${name}' needs the argument '${input.name}: ${typeText(input.type)}'`);
    return [input.name, numbers(`argument '${input.name}' of '${name}'`, args[input.name], input.type)] as const;
  });
  return Object.fromEntries(inputs);
}

function numbers(what: string, values: NumberArray | readonly number[], type: TensorType): NumberArray {
  if (values.length !== elements(type))
    fail(
      'OPT852',
      undefined,
      `${what} is ${typeText(type)}: ${elements(type)} numbers expected, ${values.length} given`,
    );
  return ArrayBuffer.isView(values) ? values : Float64Array.from(values);
}

function typeText(type: TensorType): string {
  return type.shape.length === 0 ? type.dtype : `${type.dtype}[${type.shape.join(', ')}]`;
}
