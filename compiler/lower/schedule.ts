/**
 * Orders the kernels of an entry and merges them where that saves launches: the same elementwise code over several tensors that lie side by side
 * becomes one kernel over all of them (every leaf of an optimizer update), and small independent kernels share one launch.
 * Guards the meaning of state: all reads see the value before the entry, or before the turn of a loop.
 */
import { InternalError } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { walk, type Statement } from '../ir/kernel/kernel.ts';
import { mergeFlat } from './flat.ts';
import { mergeBranches } from './branches.ts';
import { memoryOrder } from './memory-order.ts';
import type { DeviceProfile } from './profile.ts';
import type { Tensors } from './tensors.ts';
import type { Item, Step, Unit } from './unit.ts';

/** Where state lies: name of an arena and offset in elements; undefined for state that lies alone. */
export type StatePlace = (memory: string) => { readonly buffer: string; readonly offset: number } | undefined;

export interface Schedule {
  readonly steps: readonly Step[];
  /** Temporaries to be laid side by side, in this order. */
  readonly blocks: readonly (readonly string[])[];
}

/** What scheduling must know of the entry or body whose kernels it orders. */
export interface ScheduleContext {
  readonly tensors: Tensors;
  readonly place: StatePlace;
  readonly bufferOf: (tensor: string) => string;
  readonly profile: DeviceProfile;
  /** Temporaries of the entry that are to lie side by side with others. */
  readonly inBlock: Set<string>;
  /** Makes a unit that copies a stored node's tensor into state. */
  copyToState(tensor: string, memory: string): Unit;
}

/** Puts the kernels of an entry, or of one turn of a body, in order. */
export function schedule(items: readonly Item[], ctx: ScheduleContext): Schedule {
  const { tensors, place, profile } = ctx;
  let units = [...items];
  // A kernel that reads state in another way than element by element may not write it in place.
  for (const unit of items) {
    if (unit.kind !== 'kernel') continue;
    for (const written of unit.writes) {
      const memory = tensors.overwrites(written);
      if (memory === undefined || !unit.reads.has(memory)) continue;
      if (!mayOverwrite(unit, memory, written)) units.push(...redirect(ctx, written));
    }
  }
  for (;;) {
    const graph = new UnitGraph(units, tensors);
    const cycle = graph.cycle();
    if (!cycle) break;
    units.push(...redirectOne(ctx, cycle));
  }
  const isCyclic = (list: readonly Item[]): boolean => new UnitGraph(list, tensors).cycle() !== undefined;
  const flat = mergeFlat(units, tensors, place, isCyclic, profile, ctx.inBlock);
  const lives = livesOf(flat.units, tensors);
  units = mergeBranches(flat.units, (list) => new UnitGraph(list, tensors), ctx.bufferOf, profile, lives);
  const steps = memoryOrder(new UnitGraph(units, tensors), tensors).flatMap((item) =>
    item.kind === 'block' ? item.steps : [item],
  );
  return { steps, blocks: flat.blocks };
}

/** When a kernel has its place, as places in the order of the kernels, as far as large temporaries are concerned. */
export interface Life {
  /** When what it writes is needed. */
  readonly made: readonly { readonly first: number; readonly last: number }[];
  /** When what it reads is used for the last time. */
  readonly drained: readonly number[];
  /** When all that it reads is there. */
  readonly ready: number;
}

/** Elements from which it matters that a value is not kept longer than it is needed. */
export const KEPT = 4096;

function livesOf(units: readonly Item[], tensors: Tensors): Map<Item, Life> {
  const order = memoryOrder(new UnitGraph(units, tensors), tensors);
  const uses = new Map<string, number[]>();
  const writers = new Map<string, number>();
  order.forEach((u, k) => {
    u.reads.forEach((t) => uses.set(t, [...(uses.get(t) ?? []), k]));
    u.writes.forEach((t) => writers.set(t, k));
  });
  const large = (t: string): boolean => tensors.isFree(t) && sizeOf(tensors.get(t)?.type.shape ?? []) >= KEPT;
  const lifeOf = (u: Item): Life => ({
    made: [...u.writes].flatMap((t) => {
      const places = large(t) ? uses.get(t) : undefined;
      return places ? [{ first: Math.min(...places), last: Math.max(...places) }] : [];
    }),
    drained: [...u.reads].filter(large).map((t) => Math.max(...(uses.get(t) as number[]))),
    ready: Math.max(-1, ...[...u.reads].map((t) => writers.get(t) ?? -1)),
  });
  return new Map(order.map((u) => [u, lifeOf(u)]));
}

/** Sends a stored node that was to be written into state directly to a temporary, and copies that at the end. */
function redirect(ctx: ScheduleContext, tensor: string): Unit[] {
  const memory = ctx.tensors.memory(tensor);
  if (tensor.startsWith('write:')) throw new InternalError(`kernel writes ${tensor} that it also reads elsewhere`);
  ctx.tensors.unalias(tensor);
  return [ctx.copyToState(tensor, memory)];
}

function redirectOne(ctx: ScheduleContext, items: readonly Item[]): Unit[] {
  for (const item of items) {
    if (item.kind !== 'kernel') continue;
    for (const t of item.writes) {
      if (!t.startsWith('write:') && ctx.tensors.overwrites(t) !== undefined) return redirect(ctx, t);
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

/** Dependences between items: what is read comes after what writes it; what writes state after all that read its old value. */
export class UnitGraph {
  readonly units: readonly Item[];
  private readonly after: Set<number>[];
  /** Position of each unit in an order that respects the dependences. */
  private place: number[] | undefined;

  constructor(units: readonly Item[], tensors: Tensors) {
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
        const memory = tensors.overwrites(t);
        if (memory === undefined) continue;
        for (const r of readers.get(memory) ?? []) if (r !== k) this.after[r].add(k);
      }
    });
  }

  /** Whether b must come after a. */
  path(a: Item, b: Item): boolean {
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
  order(): Item[] {
    return this.inOrder((a, b) => a - b);
  }

  /**
   * Units in an order that respects all dependences; of several ready ones, `first` says which goes first (negative: the first argument). It may ask when a unit
   * became ready, as the number of units done before (0: it needs no other).
   */
  inOrder(first: Precedence): Item[] {
    const { ready } = this.sort(first);
    if (ready.length !== this.units.length) throw new InternalError('kernels wait for each other');
    return ready.map((k) => this.units[k]);
  }

  /** The same order, but for units that need no other one: each comes right before the first that needs it. */
  late(order: readonly Item[]): Item[] {
    const numbers = new Map(this.units.map((unit, k) => [unit, k]));
    const ready = order.map((unit) => numbers.get(unit) as number);
    const needy = new Set(this.after.flatMap((list) => [...list]));
    const sources = new Set(ready.filter((k) => !needy.has(k) && this.after[k].size > 0));
    const placed: number[] = [];
    for (const k of ready) {
      if (sources.has(k)) continue;
      for (const s of sources) {
        if (!this.after[s].has(k)) continue;
        sources.delete(s);
        placed.push(s);
      }
      placed.push(k);
    }
    return [...placed, ...sources].map((k) => this.units[k]);
  }

  /**
   * Units in an order that respects all dependences: those that nothing else needs come as they were made, and before each of them what it needs and is not
   * there yet, the longest chain first, one after another.
   */
  demanded(): Item[] {
    const needs = this.units.map((): number[] => []);
    this.after.forEach((list, k) => list.forEach((next) => needs[next].push(k)));
    const length = this.units.map(() => 0);
    for (const k of this.sort().ready) length[k] = 1 + Math.max(0, ...needs[k].map((n) => length[n]));
    const shortestFirst = (list: number[]): number[] => list.sort((a, b) => length[a] - length[b] || b - a);
    const done = new Set<number>();
    const visit = (root: number): void => {
      const stack = [{ k: root, open: shortestFirst(needs[root]) }];
      for (let top = stack.at(-1); top; top = stack.at(-1)) {
        const next = top.open.pop();
        if (next === undefined) {
          done.add(top.k);
          stack.pop();
        } else if (!done.has(next)) stack.push({ k: next, open: shortestFirst(needs[next]) });
      }
    };
    this.units.forEach((_, k) => {
      if (this.after[k].size === 0) visit(k);
    });
    return [...done].map((k) => this.units[k]);
  }

  /** Units that wait for each other, if there are any. */
  cycle(): Item[] | undefined {
    const { ready } = this.sort();
    if (ready.length === this.units.length) return undefined;
    const done = new Set(ready);
    return this.units.filter((_, k) => !done.has(k));
  }

  private sort(first: Precedence = (a, b) => a - b): { ready: number[] } {
    const waiting = this.units.map(() => 0);
    for (const list of this.after) for (const k of list) waiting[k]++;
    const ready: number[] = [];
    const since = new Map<number, number>();
    const place = (k: number): number => since.get(k) ?? 0;
    const open = this.units.map((_, k) => k).filter((k) => waiting[k] === 0);
    while (open.length > 0) {
      open.sort((a, b) => first(b, a, place));
      const k = open.pop() as number;
      ready.push(k);
      for (const next of this.after[k]) {
        if (--waiting[next] > 0) continue;
        since.set(next, ready.length);
        open.push(next);
      }
    }
    return { ready };
  }
}

/** Which of two units that could be next goes first; `place` says when a unit became ready. */
type Precedence = (a: number, b: number, place: (k: number) => number) => number;

function placesOf(order: readonly number[]): number[] {
  const place: number[] = [];
  order.forEach((k, position) => (place[k] = position));
  return place;
}
