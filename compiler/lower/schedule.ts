/**
 * Orders the kernels of an entry and merges them where that saves launches: the same elementwise code over several tensors that lie side by side
 * becomes one kernel over all of them (every leaf of an optimizer update), and small independent kernels share one launch.
 * Guards the meaning of cells: all reads see the value before the entry.
 */
import { InternalError } from '../diagnostics/diagnostic.ts';
import { walk, type Statement } from '../ir/kernel/kernel.ts';
import type { LoweredEntry } from './entry.ts';
import { mergeFlat } from './flat.ts';
import { mergeBranches } from './branches.ts';
import type { DeviceProfile } from './profile.ts';
import type { Tensors } from './tensors.ts';
import type { Unit } from './unit.ts';

/** Where a cell lies: name of its buffer and offset in elements. */
export type CellPlace = (cell: string) => { readonly buffer: string; readonly offset: number };

export interface Schedule {
  readonly units: readonly Unit[];
  /** Temporaries to be laid side by side, in this order. */
  readonly blocks: readonly (readonly string[])[];
}

export function scheduleEntry(lowered: LoweredEntry, place: CellPlace, profile: DeviceProfile): Schedule {
  const { tensors } = lowered;
  let units = [...lowered.units];
  // A kernel that reads a cell in another way than element by element may not write it in place.
  for (const unit of lowered.units) {
    for (const written of unit.writes) {
      const memory = tensors.memory(written);
      if (!memory.startsWith('cell:') || !unit.reads.has(memory)) continue;
      if (!mayOverwrite(unit, memory, written)) units.push(...redirect(lowered, written));
    }
  }
  for (;;) {
    const graph = new UnitGraph(units, tensors);
    const cycle = graph.cycle();
    if (!cycle) break;
    units.push(...redirectOne(lowered, cycle));
  }
  const flat = mergeFlat(units, tensors, place, (list) => new UnitGraph(list, tensors).cycle() !== undefined, profile);
  const bufferOf = (tensor: string): string => tensors.buffer(tensor, (cell) => place(cell).buffer);
  units = mergeBranches(flat.units, (list) => new UnitGraph(list, tensors), bufferOf, profile);
  return { units: new UnitGraph(units, tensors).order(), blocks: flat.blocks };
}

/** Sends a stored node that was to be written into a cell directly to a temporary, and copies that at the end. */
function redirect(lowered: LoweredEntry, tensor: string): Unit[] {
  const memory = lowered.tensors.memory(tensor);
  if (tensor.startsWith('write:')) throw new InternalError(`kernel writes ${tensor} that it also reads elsewhere`);
  lowered.tensors.unalias(tensor);
  return [lowered.copyToCell(tensor, memory.slice('cell:'.length))];
}

function redirectOne(lowered: LoweredEntry, units: readonly Unit[]): Unit[] {
  for (const unit of units) {
    for (const t of unit.writes) {
      if (!t.startsWith('write:') && lowered.tensors.memory(t).startsWith('cell:')) return redirect(lowered, t);
    }
  }
  throw new InternalError('kernels wait for each other and none can be made to write a temporary');
}

/**
 * True where a cell may be overwritten by the kernel that reads it: every load is at the index at which the same invocation stores, or, where there
 * is only one invocation, made before the loop that stores.
 */
function mayOverwrite(unit: Unit, cell: string, written: string): boolean {
  const single = unit.nest?.spec.rows === 1;
  const own = new Set<string>();
  walk(unit.kernel, (s) => {
    if (s.kind === 'store' && s.view.tensor === written) own.add(s.index.key);
  });
  const stores = (s: Statement): boolean =>
    s.kind === 'store' ? s.view.tensor === written : 'body' in s && s.body.some(stores);
  const isLoad = (s: Statement): boolean => s.kind === 'let' && s.expr.kind === 'load' && s.expr.view.tensor === cell;
  /** Loads in a body that might come after a store of the same turn or of an earlier one. */
  const safe = (body: readonly Statement[], repeated: boolean): boolean => {
    let stored = repeated;
    return body.every((s) => {
      const late = stored || !single;
      if (stores(s) && s.kind !== 'loop') stored = true;
      if (s.kind === 'let' && s.expr.kind === 'load' && isLoad(s)) return !late || own.has(s.expr.index.key);
      if (s.kind === 'loop' || s.kind === 'within') {
        const inner = safe(s.body, late || (s.kind === 'loop' && stores(s)));
        if (stores(s)) stored = true;
        return inner;
      }
      return true;
    });
  };
  // The outermost loop shares out invocations: it has one turn where there is only one.
  return unit.kernel.branches.every((b) =>
    b.body.every((s) => (s.kind === 'loop' && single ? safe(s.body, false) : safe([s], false))),
  );
}

/** Dependences between units: what is read comes after what writes it; what writes a cell after all that read its old value. */
export class UnitGraph {
  readonly units: readonly Unit[];
  private readonly after: Set<number>[];
  /** Position of each unit in an order that respects the dependences. */
  private place: number[] | undefined;

  constructor(units: readonly Unit[], tensors: Tensors) {
    this.units = units;
    const writers = new Map<string, number>();
    units.forEach((u, k) => u.writes.forEach((t) => writers.set(t, k)));
    const readers = new Map<string, number[]>();
    units.forEach((u, k) => u.reads.forEach((t) => readers.set(t, [...(readers.get(t) ?? []), k])));
    this.after = units.map(() => new Set<number>());
    units.forEach((u, k) => {
      for (const t of u.reads) {
        const w = writers.get(t);
        if (w !== undefined && w !== k) this.after[w].add(k);
      }
      for (const t of u.writes) {
        const memory = tensors.memory(t);
        if (memory === t) continue;
        for (const r of readers.get(memory) ?? []) if (r !== k) this.after[r].add(k);
      }
    });
  }

  /** Whether b must come after a. */
  path(a: Unit, b: Unit): boolean {
    this.place ??= placesOf(this.sort().ready);
    const { place } = this;
    const target = this.units.indexOf(b);
    const seen = new Set<number>();
    const stack = [this.units.indexOf(a)];
    while (stack.length > 0) {
      const k = stack.pop() as number;
      if (k === target) return true;
      // What comes after the target in some order cannot lead to it.
      if (seen.has(k) || place[k] > place[target]) continue;
      seen.add(k);
      stack.push(...this.after[k]);
    }
    return false;
  }

  /** Units in an order that respects all dependences; of several ready ones, the first made goes first. */
  order(): Unit[] {
    const { ready } = this.sort();
    if (ready.length !== this.units.length) throw new InternalError('kernels wait for each other');
    return ready.map((k) => this.units[k]);
  }

  /** Units that wait for each other, if there are any. */
  cycle(): Unit[] | undefined {
    const { ready } = this.sort();
    if (ready.length === this.units.length) return undefined;
    const done = new Set(ready);
    return this.units.filter((_, k) => !done.has(k));
  }

  private sort(): { ready: number[] } {
    const waiting = this.units.map(() => 0);
    for (const list of this.after) for (const k of list) waiting[k]++;
    const ready: number[] = [];
    const open = this.units.map((_, k) => k).filter((k) => waiting[k] === 0);
    while (open.length > 0) {
      open.sort((a, b) => b - a);
      const k = open.pop() as number;
      ready.push(k);
      for (const next of this.after[k]) if (--waiting[next] === 0) open.push(next);
    }
    return { ready };
  }
}

function placesOf(order: readonly number[]): number[] {
  const place: number[] = [];
  order.forEach((k, position) => (place[k] = position));
  return place;
}
