/**
 * A backend without a device: the tensor program evaluated in float64 by the reference interpreter. Slow and obvious; the oracle of device runs
 * (`verify`, tests) and the way to run at all where there is no adapter (`--device reference`). Cells are kept in float64 between steps, so a trajectory
 * is that of exact arithmetic as nearly as JavaScript can give it.
 */
import type { DataField } from '../../compiler/bundle/format.ts';
import type { Scalars } from '../../compiler/bundle/host-program.ts';
import { InternalError, fail } from '../../compiler/diagnostics/diagnostic.ts';
import type { Entry, Program } from '../../compiler/ir/program.ts';
import { roundHalf } from '../../compiler/ops/half.ts';
import type { NdArray, Node, TensorType } from '../../compiler/ops/types.ts';
import { type Backend, type DeviceInfo, type DeviceStats, type FieldSource, inMemory, type NumberArray, type Origin, type StepOutputs } from '../backend.ts'; // prettier-ignore
import { FaultError, type Seen, evaluate } from './interpreter.ts';
import { originOf, spoiled } from './origin.ts';

/** Told of each execution before it happens; `leaf` gives the value that a parameter of the entry's graph will have. */
export type Watcher = (entry: Entry, scalars: Scalars, leaf: (parameter: Node) => NdArray) => void;

/** Makes the backend; all cells are zero until the program's first entries have run. `seen` is told of every value. */
export function createReferenceBackend(program: Program, watcher?: Watcher, seen?: Seen): Backend {
  return new ReferenceBackend(program, watcher, seen);
}

class ReferenceBackend implements Backend {
  readonly info: DeviceInfo = {
    class: 'reference',
    name: 'float64 reference interpreter',
    vendor: '',
    driver: '',
    backend: 'reference',
  };
  readonly stats: DeviceStats = { dispatches: 0, submits: 0, executions: 0 };
  readonly bytes = { live: 0, peak: 0 };
  private readonly watcher: Watcher | undefined;
  private readonly seen: Seen | undefined;
  private readonly entries: ReadonlyMap<string, Entry>;
  /** Cells that keep numbers of 16 bits. */
  private readonly halves: ReadonlySet<string>;
  private readonly types: ReadonlyMap<string, TensorType>;
  private readonly fields: ReadonlyMap<string, DataField>;
  private readonly cells = new Map<string, NdArray>();
  private readonly data = new Map<string, NdArray>();
  /** What first made an output or cell not finite, by name or id; undefined where it cannot be said. */
  private readonly origins = new Map<string, Origin | undefined>();
  /** Submissions are ordered: each begins when the one before it has ended. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(program: Program, watcher: Watcher | undefined, seen: Seen | undefined) {
    this.watcher = watcher;
    this.seen = seen;
    this.entries = new Map(program.entries.map((e) => [e.id, e]));
    this.types = new Map(program.cells.map((c) => [c.id, c.type]));
    this.halves = new Set(program.cells.filter((c) => c.storage === 'f16').map((c) => c.id));
    this.fields = new Map(program.data.flatMap((d) => d.fields.map((f) => [`${d.name}.${f.name}`, f] as const)));
    this.zeroCells();
    this.count();
  }

  private zeroCells(): void {
    for (const [id, type] of this.types) this.cells.set(id, { type, data: new Float64Array(elements(type)) });
  }

  private count(): void {
    let bytes = 0;
    for (const array of [...this.cells.values(), ...this.data.values()]) bytes += array.data.byteLength;
    this.bytes.live = bytes;
    this.bytes.peak = Math.max(this.bytes.peak, bytes);
  }

  /** Runs `work` after all that was asked for before, and lets the event loop turn first, so that signals are heard. */
  private inOrder<T>(work: () => T): Promise<T> {
    const turn = this.last.then(() => new Promise<void>((done) => setTimeout(done, 0)));
    const result = turn.then(work);
    this.last = result.catch(() => {});
    return result;
  }

  loadData(name: string, field: string, source: FieldSource): Promise<void> {
    return this.inOrder(() => {
      const key = `${name}.${field}`;
      const values = inMemory(key, source, 'the reference');
      const spec = this.fields.get(key);
      if (!spec) fail('OPT711', undefined, `the program has no data '${key}'`);
      if (values.length !== elements(spec.type))
        fail('OPT711', undefined, `data '${key}': ${elements(spec.type)} numbers expected, ${values.length} given`);
      const scale = spec.storage === 'u8' ? spec.scale : 1;
      this.data.set(key, { type: spec.type, data: Float64Array.from(values, (v) => v * scale) });
      this.count();
    });
  }

  capacity(): number {
    return 1;
  }

  submit(id: string, steps: readonly Scalars[]): Promise<StepOutputs[]> {
    return this.inOrder(() => {
      const entry = this.entry(id);
      this.stats.submits++;
      return steps.map((scalars) => {
        const { outputs, taken } = this.execute(entry, scalars, {});
        const values = new Map<string, number>();
        const objectives = new Map<string, number>();
        entry.outputs.forEach((o, i) => {
          if (o.kind === 'result' || !taken[i]) return;
          (o.kind === 'objective' ? objectives : values).set(o.name, outputs[i].data[0]);
        });
        return { values, objectives };
      });
    });
  }

  call(
    id: string,
    inputs: Readonly<Record<string, NumberArray>>,
    scalars: Scalars,
  ): Promise<Record<string, NumberArray>> {
    return this.inOrder(() => {
      const entry = this.entry(id);
      const { outputs } = this.execute(entry, scalars, inputs);
      return Object.fromEntries(
        entry.outputs.flatMap((o, i) => (o.kind === 'result' ? [[o.name, typed(outputs[i])] as const] : [])),
      );
    });
  }

  /** All reads before all writes. `taken` says which outputs are recorded. */
  private execute(
    entry: Entry,
    scalars: Scalars,
    inputs: Readonly<Record<string, NumberArray>>,
  ): { readonly outputs: readonly NdArray[]; readonly taken: readonly boolean[] } {
    this.stats.executions++;
    const always: NdArray = { type: { dtype: 'bool', shape: [] }, data: Float64Array.of(1) };
    const conditions = entry.outputs.flatMap((o) => o.when ?? []);
    const roots = [...entry.outputs.map((o) => o.value), ...entry.writes.map((w) => w.value), ...conditions];
    const leaf = (parameter: Node) => this.leaf(parameter, scalars, inputs);
    this.watcher?.(entry, scalars, leaf);
    let values: NdArray[];
    try {
      values = evaluate(roots, leaf, this.seen);
    } catch (reason) {
      if (reason instanceof FaultError) fail(reason.code, reason.span, `${reason.message} (step ${scalars.step})`);
      throw reason;
    }
    this.noteOrigins(entry, values, leaf);
    const outputs = values.slice(0, entry.outputs.length);
    entry.writes.forEach((w, i) => this.cells.set(w.cell, values[entry.outputs.length + i]));
    const held = values.slice(entry.outputs.length + entry.writes.length).values();
    const taken = entry.outputs.map((o) => (o.when ? (held.next().value as NdArray) : always).data[0] !== 0);
    return { outputs, taken };
  }

  /** Looks for what made an output or a cell not finite, the first time that it is. The values of cells are still those that the execution read. */
  private noteOrigins(entry: Entry, values: readonly NdArray[], leaf: (parameter: Node) => NdArray): void {
    const named = [
      ...entry.outputs.map(({ name, value }) => [name, value] as const),
      ...entry.writes.map(({ cell, value }) => [cell, value] as const),
    ];
    named.forEach(([name, node], i) => {
      if (this.origins.has(name) || !spoiled(values[i])) return;
      const found = originOf(node, leaf);
      this.origins.set(name, found?.kind === 'cell' ? this.origins.get(found.cell) : found?.origin);
    });
  }

  originOf(name: string): Origin | undefined {
    return this.origins.get(name);
  }

  private leaf(parameter: Node, scalars: Scalars, inputs: Readonly<Record<string, NumberArray>>): NdArray {
    const { source, name } = parameter.attrs as { source: string; name: string };
    const { type } = parameter;
    if (source === 'scalar') return { type, data: Float64Array.of(scalarValue(name, scalars)) };
    if (source === 'input') {
      const given = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
      if (given?.length !== elements(type)) throw new InternalError(`input '${name}' has the wrong length`);
      return { type, data: Float64Array.from(given) };
    }
    const value = source === 'cell' ? this.cells.get(name) : this.data.get(name);
    if (!value) throw new InternalError(`the reference backend has no ${source} '${name}'`);
    return value;
  }

  private entry(id: string): Entry {
    const entry = this.entries.get(id);
    if (!entry) throw new InternalError(`the program has no entry '${id}'`);
    return entry;
  }

  reset(): Promise<void> {
    return this.inOrder(() => {
      this.zeroCells();
      this.origins.clear();
    });
  }

  readCells(ids: readonly string[]): Promise<Map<string, NumberArray>> {
    return this.inOrder(() => new Map(ids.map((id) => [id, typed(this.cell(id)).slice()])));
  }

  writeCells(values: ReadonlyMap<string, NumberArray>): Promise<void> {
    return this.inOrder(() => {
      for (const [id, array] of values) {
        const { type } = this.cell(id);
        if (array.length !== elements(type)) throw new InternalError(`cell '${id}' given ${array.length} numbers`);
        const data = Float64Array.from(array);
        this.cells.set(id, { type, data: this.halves.has(id) ? data.map(roundHalf) : data });
      }
    });
  }

  private cell(id: string): NdArray {
    const cell = this.cells.get(id);
    if (!cell) throw new InternalError(`the program has no cell '${id}'`);
    return cell;
  }

  async dispose(): Promise<void> {
    await this.last;
    this.cells.clear();
    this.data.clear();
    this.count();
  }
}

function elements(type: TensorType): number {
  return type.shape.reduce((a, b) => a * b, 1);
}

/** Floats stay float64; integers and bools become what a device would give. */
function typed({ type, data }: NdArray): NumberArray {
  if (type.dtype === 'f32') return data;
  return type.dtype === 'i32' ? Int32Array.from(data) : Uint32Array.from(data);
}

/** Value of a host scalar by its name in the graph. */
export function scalarValue(name: string, s: Scalars): number {
  if (name === 'seed') return s.seed >>> 0;
  if (name === 'step') return s.step;
  if (name === 'steps') return s.steps;
  if (name === 'chunk') return s.chunk ?? 0;
  if (name === 'progress') return s.steps > 0 ? s.step / s.steps : 0;
  return s.hyper(name.slice('hyper:'.length));
}
