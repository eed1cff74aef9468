/**
 * `--targets`: every execution once on the device and once in the float64 reference, from the same state: that of the device, so that rounding does not add
 * up over steps. Where an output or a cell is further off than rounding explains, the computation is done again on the device with its intermediate
 * values kept, and the first one that differs while what it is computed from agrees is named.
 */
import { reachable } from '../../compiler/ir/tensor/graph.ts';
import type { Bundle, Place } from '../../compiler/bundle/format.ts';
import type { Scalars } from '../../compiler/bundle/host-program.ts';
import { error, type Diagnostic } from '../../compiler/diagnostics/diagnostic.ts';
import type { Entry, Program } from '../../compiler/ir/program.ts';
import type { Node } from '../../compiler/ops/types.ts';
import type { Span } from '../../compiler/source/source.ts';
import { inMemory, type Backend, type FieldSource, type NumberArray, type StepOutputs } from '../../runtime/backend.ts';
import type { Session } from '../../runtime/session.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { distance, type Check } from './checks.ts';

export interface TargetsOptions {
  readonly program: Program;
  readonly tolerance: number;
  /** A backend on the device for a program: the one that is verified, or one made to see intermediate values. */
  readonly onDevice: (program: Program) => Promise<{ readonly bundle: Bundle; readonly backend: Backend }>;
  /** Starts the session on a backend. */
  readonly start: (bundle: Bundle, backend: Backend) => Promise<Session>;
  readonly locate: (span: Span) => Place | undefined;
}

/** Where device and reference part. */
interface Divergence {
  readonly entry: Entry;
  readonly step: number;
  /** What differs at the end of the execution: a report, a metric, a cell. */
  readonly what: string;
  readonly distance: number;
  readonly before: ReadonlyMap<string, NumberArray>;
  readonly scalars: Scalars;
}

class Diverged extends Error {
  readonly found: Divergence;

  constructor(found: Divergence) {
    super(found.what);
    this.found = found;
  }
}

export async function verifyTargets(options: TargetsOptions): Promise<Check> {
  const { bundle, backend } = await options.onDevice(options.program);
  const twin = new Twin(options.program, backend, options.tolerance);
  try {
    const session = await options.start(bundle, twin);
    for await (const report of session.train()) void report;
  } catch (cause) {
    if (!(cause instanceof Diverged)) throw cause;
    const diagnostic = await explain(cause.found, twin, options);
    const { what, step, entry } = cause.found;
    return { ok: false, lines: [], details: { ok: false, what, step, entry: entry.id, difference: cause.found.distance }, diagnostics: [diagnostic] }; // prettier-ignore
  } finally {
    await twin.dispose();
  }
  const { executions, compared, largest } = twin;
  const furthest = largest ? `; the furthest is ${largest.what}, by ${largest.distance.toExponential(1)}` : '';
  return {
    ok: true,
    lines: [`${executions} executions, ${compared} values and cells agree with the float64 reference${furthest}`],
    details: { ok: true, executions, compared, tolerance: options.tolerance, largest },
    diagnostics: [],
  };
}

/** The device, with the reference beside it. */
class Twin implements Backend {
  readonly info;
  readonly stats;
  readonly bytes;
  executions = 0;
  compared = 0;
  largest: { readonly what: string; readonly distance: number } | undefined;
  readonly data = new Map<string, readonly [string, string, NumberArray]>();
  private readonly device: Backend;
  private readonly reference: Backend;
  private readonly program: Program;
  private readonly tolerance: number;
  private last: Promise<unknown> = Promise.resolve();

  constructor(program: Program, device: Backend, tolerance: number) {
    this.device = device;
    this.reference = createReferenceBackend(program);
    this.program = program;
    this.tolerance = tolerance;
    this.info = device.info;
    this.stats = device.stats;
    this.bytes = device.bytes;
  }

  async loadData(name: string, field: string, source: FieldSource): Promise<void> {
    const values = inMemory(`${name}.${field}`, source, 'a comparison with the reference');
    this.data.set(`${name}.${field}`, [name, field, values]);
    await this.device.loadData(name, field, values);
    await this.reference.loadData(name, field, values);
  }

  capacity(): number {
    return 1;
  }

  /** Sessions submit ahead; here each execution ends before the next begins, since its cells are read in between. */
  submit(id: string, steps: readonly Scalars[]): Promise<StepOutputs[]> {
    const result = this.last.then(async () => {
      const all: StepOutputs[] = [];
      for (const scalars of steps) all.push(...(await this.one(id, scalars)));
      return all;
    });
    this.last = result.catch(() => {});
    return result;
  }

  private async one(id: string, scalars: Scalars): Promise<StepOutputs[]> {
    const entry = this.program.entries.find((e) => e.id === id) as Entry;
    const ids = this.program.cells.map((c) => c.id);
    const before = await this.device.readCells(ids);
    await this.reference.writeCells(before);
    const found = await this.device.submit(id, [scalars]);
    const [expected] = await this.reference.submit(id, [scalars]);
    const written = entry.writes.map((w) => w.cell);
    const [cells, exact] = [await this.device.readCells(written), await this.reference.readCells(written)];
    this.executions++;
    const hold = (what: string, a: ArrayLike<number>, b: ArrayLike<number>): void => {
      this.compared++;
      const d = distance(a, b);
      if (d > (this.largest?.distance ?? 0)) this.largest = { what, distance: d };
      if (!(d <= this.tolerance)) throw new Diverged({ entry, step: scalars.step, what, distance: d, before, scalars });
    };
    for (const [name, value] of [...expected.values, ...expected.objectives]) {
      const own = found[0].values.get(name) ?? found[0].objectives.get(name);
      hold(`'${name}'`, [own ?? NaN], [value]);
    }
    for (const cell of written) hold(`cell '${cell}'`, cells.get(cell) as NumberArray, exact.get(cell) as NumberArray);
    return found;
  }

  call(id: string, inputs: Readonly<Record<string, NumberArray>>, scalars: Scalars) {
    return this.device.call(id, inputs, scalars);
  }

  async reset(): Promise<void> {
    await this.device.reset();
    await this.reference.reset();
  }

  readCells(ids: readonly string[]) {
    return this.device.readCells(ids);
  }

  async writeCells(values: ReadonlyMap<string, NumberArray>): Promise<void> {
    await this.device.writeCells(values);
  }

  async dispose(): Promise<void> {
    await this.last;
    await this.device.dispose();
    await this.reference.dispose();
  }
}

/** Bytes of intermediate values that are kept on the device at once. */
const CHUNK = 32 * 2 ** 20;

async function explain(found: Divergence, twin: Twin, options: TargetsOptions): Promise<Diagnostic> {
  const { entry, step, what, distance: d } = found;
  const start = `${what} differs from the float64 reference by ${d.toExponential(1)} of its size, in step ${step} of '${entry.id}'`;
  const first = await firstDifferent(found, twin, options);
  if (!first)
    return error('OPT714', spanOf(found), start, {
      notes: ['computed by itself, every intermediate value agrees: the kernels that compute several at once do not'],
      hint: 'this is a bug of Saddle or of the driver: please report it with the spec, or try another --device',
    });
  const { node } = first;
  const named = node.op === 'name' ? `'${String(node.attrs.name)}'` : `the result of '${node.op}'`;
  return error('OPT714', node.span ?? spanOf(found), start, {
    notes: [`the first value that differs is ${named} here, by ${first.distance.toExponential(1)}; what it is computed from agrees`],
    hint: 'a difference of nearly equal numbers is ill conditioned: then widen --tolerance; else report it with the spec, or try another --device',
  }); // prettier-ignore
}

function spanOf({ entry, what }: Divergence): Span | undefined {
  const output = entry.outputs.find((o) => `'${o.name}'` === what);
  const write = entry.writes.find((w) => `cell '${w.cell}'` === what);
  return output?.span ?? output?.value.span ?? write?.value.span;
}

interface First {
  readonly node: Node;
  readonly distance: number;
}

/** The first node, in the order of computation, that differs on the device. */
async function firstDifferent(found: Divergence, twin: Twin, options: TargetsOptions): Promise<First | undefined> {
  for (const chunk of chunks(intermediates(found.entry))) {
    const probe = probeOf(options.program, chunk);
    const reference = createReferenceBackend(probe);
    const { backend } = await options.onDevice(probe);
    try {
      const values: Record<string, NumberArray>[] = [];
      for (const b of [backend, reference]) {
        for (const d of twin.data.values()) await b.loadData(...d);
        await b.writeCells(found.before);
        values.push(await b.call('probe', {}, found.scalars));
      }
      const [device, exact] = values;
      for (const [i, node] of chunk.entries()) {
        const d = distance(device[`v${i}`], exact[`v${i}`]);
        if (!(d <= options.tolerance / 10)) return { node, distance: d };
      }
    } finally {
      await backend.dispose();
      await reference.dispose();
    }
  }
  return undefined;
}

/** Values that an execution computes at its own level (those inside loops belong to the loop), in order. */
function intermediates(entry: Entry): Node[] {
  const roots = [...entry.outputs.map((o) => o.value), ...entry.writes.map((w) => w.value)];
  // keys are whole numbers of the host; what is drawn from them is compared
  const silent = ['parameter', 'constant', 'stop', 'version', 'random_key'];
  return reachable(roots, (node) => node.inputs).filter((n) => !silent.includes(n.op) && !n.type.parts);
}

function* chunks(nodes: readonly Node[]): Generator<Node[]> {
  let chunk: Node[] = [];
  let bytes = 0;
  for (const node of nodes) {
    const size = 4 * node.type.shape.reduce((a, b) => a * b, 1);
    if (chunk.length > 0 && (bytes + size > CHUNK || chunk.length >= 32)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(node);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

/** A program that only computes the given nodes, on the same cells and data. */
function probeOf(program: Program, nodes: readonly Node[]): Program {
  const outputs = nodes.map((value, i) => ({ name: `v${i}`, kind: 'result' as const, value }));
  const entry: Entry = { id: 'probe', writes: [], outputs, inputs: [] };
  return { ...program, entries: [entry], schedule: [], exports: [{ name: 'probe', entry: 'probe' }], claims: [], updates: [] }; // prettier-ignore
}
