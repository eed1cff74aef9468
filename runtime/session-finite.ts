/** Finds values that are not finite: in the outputs of a step, and in the cells of a run. */
import { isPart, type Bundle, type Place } from '../compiler/bundle/format.ts';
import type { Backend, NumberArray, StepOutputs } from './backend.ts';

export interface NonFinite {
  readonly name: string;
  readonly value: number;
}

/** For messages. */
export function nonFiniteText(value: number): string {
  return `not finite (${Number.isNaN(value) ? 'not a number' : value > 0 ? 'infinity' : 'minus infinity'})`;
}

/** A cell in the words of the text: `x`, or a state `m` that a rule keeps of it. In ids a run stands in front, and states behind what they are of. */
export function cellText(id: string, run: string): string {
  const own = run !== '' && id.startsWith(`${run}/`) ? id.slice(run.length + 1) : id;
  const [of, ...states] = own.split('#');
  if (states.length === 0) return `cell '${own}'`;
  return `the state '${states.join('.')}'${of === '' ? '' : ` of '${of}'`}`;
}

/** The first output that is not finite; objectives first, since they are the cause of what follows. Parts of claims end no run. */
export function firstNonFinite(outputs: StepOutputs): NonFinite | undefined {
  for (const map of [outputs.objectives, outputs.values])
    for (const [name, value] of map) if (!Number.isFinite(value) && !isPart(name)) return { name, value };
  return undefined;
}

/** The first number of an array that is not finite. */
export function nonFiniteIn(values: NumberArray): number | undefined {
  if (!(values instanceof Float32Array || values instanceof Float64Array)) return undefined;
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return values[i];
  return undefined;
}

/** Where a cell was last written, up to a phase of the schedule: the statements of the latest entry that writes it. */
export function writersOf(bundle: Bundle, cell: string, phase: number): readonly Place[] {
  for (let at = Math.min(phase, bundle.schedule.length - 1); at >= 0; at--) {
    const entry = bundle.entries.find((e) => e.id === bundle.schedule[at].entry);
    const found = entry?.writers?.filter((w) => w.cells.includes(cell)).map((w) => w.place) ?? [];
    if (found.length > 0) return found;
  }
  return [];
}

/** A sentence on the statements that write a cell beside the one that is shown. */
export function otherWriters(places: readonly Place[]): string[] {
  const others = places.slice(1).map((p) => `${p.file}:${p.line}:${p.column}`);
  return others.length > 0 ? [`it is also written at ${others.join(', ')}`] : [];
}

/** Reads the float cells of a run and returns the first that holds a number that is not finite: of what is moved before what helps to move it. */
export async function checkCells(bundle: Bundle, backend: Backend, run: string): Promise<NonFinite | undefined> {
  const cells = bundle.cells.filter((c) => c.run === run && c.type.dtype === 'f32');
  const helps = (c: (typeof cells)[number]): number => Number(c.kind === 'state');
  const ids = cells.toSorted((a, b) => helps(a) - helps(b)).map((c) => c.id);
  if (ids.length === 0) return undefined;
  for (const [name, values] of await backend.readCells(ids)) {
    const value = nonFiniteIn(values);
    if (value !== undefined) return { name, value };
  }
  return undefined;
}
