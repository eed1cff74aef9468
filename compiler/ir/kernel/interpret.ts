/**
 * Executes kernels on float64 arrays, for tests: a workgroup's invocations run in lockstep, every access is checked against its view, and an
 * element that one invocation writes while another touches it is reported as a race. Values are not rounded to f32, so results can be compared
 * with the reference to the last digits; integers are exact.
 */
import { op as opOf } from '../../ops/table.ts';
import type { DType, NdArray } from '../../ops/types.ts';
import { InternalError } from '../../diagnostics/diagnostic.ts';
import { atLane, evaluateIndex, laneOf, type IndexExpr } from './index-expr.ts';
import { turnsOf, type Branch, type Expression, type Kernel, type Stage, type Statement, type Turns, type ValueId, type View } from './kernel.ts'; // prettier-ignore

/** Where a tensor lies: a buffer, one number per element (packed bytes unscaled), and the tensor's first element in it. */
export type Memory = (tensor: string) => { readonly data: Float64Array; readonly offset: number };

export interface Outcome {
  /** Numbers of the faults raised. */
  readonly faults: ReadonlySet<number>;
}

/** Runs all workgroups. Throws on an access outside its view, an undefined value, or a race. */
export function interpretKernel(kernel: Kernel, memory: Memory): Outcome {
  const faults = new Set<number>();
  if (kernel.sequence) {
    new Sequence(kernel, memory, faults).launch();
    return { faults };
  }
  const races = new RaceCheck();
  let first = 0;
  for (const branch of kernel.branches) {
    for (let group = 0; group < branch.group.extent; group++) {
      if (branch.gate && isClosed(branch.gate, memory, races, (first + group) * kernel.workgroup)) continue;
      const base = (first + group) * kernel.workgroup;
      new Workgroup(kernel.workgroup, memory, faults, races, base).runBranch(branch, group);
    }
    first += branch.group.extent;
  }
  return { faults };
}

/** One launch of a sequence by one workgroup. A barrier ends what an access can race with. */
class Sequence {
  private readonly kernel: Kernel;
  private readonly memory: Memory;
  private readonly faults: Set<number>;
  private readonly loops: readonly Turns[];
  /** As in `Budget`: 1 while stages are run; any other number of a loop while the way to it, or out of it, is taken. */
  private at = 1;
  private left = Infinity;
  private readonly turns: number[];

  constructor(kernel: Kernel, memory: Memory, faults: Set<number>) {
    this.kernel = kernel;
    this.memory = memory;
    this.faults = faults;
    this.loops = turnsOf(kernel.sequence);
    this.turns = this.loops.map(() => 0);
  }

  launch(): void {
    const { budget, sequence = [] } = this.kernel;
    if (!budget) return this.run(sequence);
    const word = (view: View): { data: Float64Array; offset: number } => this.memory(view.tensor);
    const at = word(budget.at);
    this.at = at.data[at.offset];
    if (this.at === 0) return;
    this.left = budget.work;
    budget.turns.map(word).forEach((w, k) => (this.turns[k] = w.data[w.offset]));
    this.run(sequence);
    at.data[at.offset] = this.at === 1 ? 0 : this.at;
    budget.turns.map(word).forEach((w, k) => (w.data[w.offset] = this.turns[k]));
  }

  private run(stages: readonly Stage[]): void {
    for (const stage of stages) {
      if (stage.kind === 'turns') this.repeat(stage);
      else if (this.at === 1) this.runBranches(stage.branches);
    }
  }

  private runBranches(numbers: readonly number[]): void {
    const races = new RaceCheck();
    for (const k of numbers) {
      const branch = this.kernel.branches[k];
      if (branch.gate && isClosed(branch.gate, this.memory, races, 0)) continue;
      const w = new Workgroup(this.kernel.workgroup, this.memory, this.faults, races, 0);
      for (let group = 0; group < branch.group.extent; group++) w.runBranch(branch, group);
    }
  }

  private repeat(stage: Turns): void {
    const k = this.loops.indexOf(stage);
    const own = k + 2;
    if (this.at === 1) this.turns[k] = 0;
    else if (this.at < own || this.at > own + turnsOf(stage.stages).length) return;
    for (; this.turns[k] < stage.turns; this.turns[k]++) {
      if (this.at === own) this.at = 1;
      if (this.at === 1) {
        if (stage.flag && isClosed(stage.flag, this.memory, new RaceCheck(), 0)) return;
        if (this.left <= 0) {
          this.at = own;
          return;
        }
        this.left -= stage.work;
      }
      this.run(stage.stages);
      if (this.at !== 1) return;
    }
  }
}

function isClosed(gate: View, memory: Memory, races: RaceCheck, invocation: number): boolean {
  const { data, offset } = memory(gate.tensor);
  races.access(data, offset, invocation, false, gate);
  return data[offset] === 0;
}

/** Who wrote and read each element. */
class RaceCheck {
  private readonly writer = new Map<Float64Array, Map<number, number>>();
  private readonly reader = new Map<Float64Array, Map<number, number>>();

  access(data: Float64Array, index: number, invocation: number, write: boolean, view: View): void {
    const by = (map: Map<Float64Array, Map<number, number>>): Map<number, number> => {
      const own = map.get(data) ?? new Map<number, number>();
      map.set(data, own);
      return own;
    };
    const writer = by(this.writer).get(index);
    const reader = by(this.reader).get(index);
    const other = (who: number | undefined): boolean => who !== undefined && who !== invocation;
    if (other(writer) || (write && other(reader))) {
      throw new InternalError(
        `race on ${view.tensor}[${index}] between invocations ${writer ?? reader} and ${invocation}`,
      );
    }
    // -2 marks elements that several invocations read.
    if (write) by(this.writer).set(index, invocation);
    else by(this.reader).set(index, reader === undefined || reader === invocation ? invocation : -2);
  }
}

class Workgroup {
  private readonly variables: Map<number, number>[];
  private readonly values: Map<ValueId, number[]>[];
  private readonly memory: Memory;
  private readonly faults: Set<number>;
  private readonly races: RaceCheck;
  private readonly base: number;

  constructor(size: number, memory: Memory, faults: Set<number>, races: RaceCheck, base: number) {
    this.variables = Array.from({ length: size }, () => new Map<number, number>());
    this.values = Array.from({ length: size }, () => new Map<ValueId, number[]>());
    this.memory = memory;
    this.faults = faults;
    this.races = races;
    this.base = base;
  }

  /** Runs a branch as its workgroup `group`. */
  runBranch(branch: Branch, group: number): void {
    this.variables.forEach((variables, lane) => variables.set(branch.group.id, group).set(branch.local.id, lane));
    this.run(
      branch.body,
      this.variables.map(() => true),
    );
  }

  private run(body: readonly Statement[], active: readonly boolean[]): void {
    for (const s of body) {
      if (s.kind === 'loop') this.loop(s, active);
      else if (s.kind === 'within') {
        const inside = active.map((on, lane) => {
          if (!on) return false;
          const value = this.index(s.index, lane, 0);
          this.variables[lane].set(s.variable.id, value);
          return value >= 0 && value < s.variable.extent;
        });
        if (inside.some(Boolean)) this.run(s.body, inside);
      } else {
        active.forEach((on, lane) => {
          if (!on) return;
          if (s.kind === 'let') this.values[lane].set(s.id, this.expression(s.expr, s.dtype, s.width, lane));
          else if (s.kind === 'fault') {
            if (this.value(s.ok, lane).some((v) => v === 0)) this.faults.add(s.number);
          } else this.store(s.view, s.index, this.value(s.value, lane), lane);
        });
      }
    }
  }

  private loop(s: Extract<Statement, { kind: 'loop' }>, active: readonly boolean[]): void {
    active.forEach((on, lane) => {
      if (!on) return;
      this.variables[lane].set(s.variable.id, this.index(s.start, lane, 0));
      for (const c of s.carries) this.values[lane].set(c.id, widened(this.value(c.init, lane), c.width));
    });
    for (;;) {
      const going = active.map((on, lane) => {
        if (!on) return false;
        return (this.variables[lane].get(s.variable.id) as number) < s.variable.extent;
      });
      if (!going.some(Boolean)) return;
      this.run(s.body, going);
      going.forEach((on, lane) => {
        if (!on) return;
        const next = s.carries.map((c) => widened(this.value(c.next, lane), c.width));
        s.carries.forEach((c, k) => this.values[lane].set(c.id, next[k]));
        this.variables[lane].set(s.variable.id, (this.variables[lane].get(s.variable.id) as number) + s.step);
      });
    }
  }

  private value(id: ValueId, lane: number): number[] {
    const v = this.values[lane].get(id);
    if (!v) throw new InternalError(`value ${id} is used before it is defined`);
    return v;
  }

  private index(e: IndexExpr, lane: number, component: number): number {
    return evaluateIndex(
      atLane(e, component),
      (v) => {
        const x = this.variables[lane].get(v.id);
        if (x === undefined) throw new InternalError(`variable ${v.id} is used out of scope`);
        return x;
      },
      (id) => this.value(id, lane)[0],
    );
  }

  private expression(e: Expression, dtype: DType, width: number, lane: number): number[] {
    const each = (f: (component: number) => number): number[] => Array.from({ length: width }, (_, k) => f(k));
    switch (e.kind) {
      case 'constant':
        return [e.value];
      case 'op': {
        const args = e.args.map((id) => this.value(id, lane));
        return each((k) =>
          scalarOp(
            e,
            dtype,
            args.map((a) => a[a.length === 1 ? 0 : k]),
          ),
        );
      }
      case 'mad': {
        const [a, b, c] = e.args.map((id) => widened(this.value(id, lane), width));
        return each((k) => wrapped(a[k] * b[k] + c[k], dtype));
      }
      case 'index':
        return each((k) => this.index(e.index, lane, k));
      case 'inside':
        return each((k) => {
          const i = this.index(e.index, lane, k);
          return i >= e.lo && i <= e.hi ? 1 : 0;
        });
      case 'load':
        return each((k) => this.load(e.view, this.index(e.index, lane, k), lane));
      case 'clamp': {
        const of = this.value(e.of, lane);
        return each((k) => Math.min(e.hi, Math.max(e.lo, of[k])));
      }
      case 'component': {
        const of = this.value(e.of, lane);
        return [of[of.length === 1 ? 0 : e.component]];
      }
      case 'vector':
        return e.of.map((id) => this.value(id, lane)[0]);
      case 'array':
        return e.of.flatMap((id) => widened(this.value(id, lane), width));
      case 'pick': {
        const at = this.index(e.index, lane, 0) * width;
        return this.value(e.of, lane).slice(at, at + width);
      }
      case 'shuffle': {
        const of = this.value(e.of, e.lane);
        return [of[of.length === 1 ? 0 : e.component]];
      }
    }
  }

  /** Checks an access and returns the buffer and the position in it. */
  private access(view: View, index: number, lane: number, write: boolean): { data: Float64Array; at: number } {
    if (!(index >= 0 && index < view.size)) {
      throw new InternalError(`${view.tensor}[${index}] is outside its ${view.size} elements`);
    }
    const { data, offset } = this.memory(view.tensor);
    const at = offset + index;
    if (at >= data.length) throw new InternalError(`${view.tensor}[${index}] is outside its buffer`);
    this.races.access(data, at, this.base + lane, write, view);
    return { data, at };
  }

  private load(view: View, index: number, lane: number): number {
    const { data, at } = this.access(view, index, lane, false);
    return data[at] * view.scale;
  }

  private store(view: View, index: IndexExpr, value: readonly number[], lane: number): void {
    const components = laneOf(index) ? 4 : 1;
    for (let k = 0; k < components; k++) {
      const { data, at } = this.access(view, this.index(index, lane, k), lane, true);
      data[at] = value[value.length === 1 ? 0 : k];
    }
  }
}

const widened = (v: readonly number[], width: number): number[] =>
  v.length === width ? [...v] : Array.from({ length: width }, () => v[0]);

function wrapped(x: number, dtype: DType): number {
  if (dtype === 'i32') return Math.trunc(x) | 0;
  return dtype === 'u32' ? x >>> 0 : x;
}

const tables = new Map<string, Float64Array>();

function scalarOp(e: Extract<Expression, { kind: 'op' }>, dtype: DType, args: readonly number[]): number {
  const def = opOf(e.op);
  if (def.scalar) return def.scalar(args, e.attrs, { inputs: e.inputs, output: dtype });
  // Primitives of the flat index: their whole result, made once per operands.
  const [index, ...rest] = args;
  const key = `${e.op}(${rest.join()})${JSON.stringify(e.attrs)}`;
  let table = tables.get(key);
  if (!table) {
    const key2: NdArray = { type: { dtype: 'u32', shape: [2] }, data: Float64Array.from(rest.slice(0, 2)) };
    const others = rest.slice(2).map((v): NdArray => ({ type: { dtype: 'i32', shape: [] }, data: Float64Array.of(v) }));
    table = def.reference([key2, ...others], e.attrs, { dtype, shape: e.shape ?? [] }).data;
    tables.set(key, table);
  }
  return table[index] ?? 0;
}
