/** Runs an entry of a program through the kernel interpreter, in float64, at the places the plan gives: checks bounds and races on the way. */
import { prepareProgram } from '../../../compiler/emit/bundle.ts';
import { evaluateHost, type Scalars } from '../../../compiler/bundle/host-program.ts';
import { interpretKernel } from '../../../compiler/ir/kernel/interpret.ts';
import { verifyKernel } from '../../../compiler/ir/kernel/verify.ts';
import type { Program } from '../../../compiler/ir/program.ts';
import { sizeOf } from '../../../compiler/ir/tensor/graph.ts';
import type { Reported } from '../../../compiler/lower/entry.ts';
import type { Step, Unit } from '../../../compiler/lower/unit.ts';
import type { DeviceProfile } from '../../../compiler/lower/profile.ts';

export interface Interpreted {
  readonly outputs: Record<string, number[]>;
  /** Cells after the entry. */
  readonly cells: Record<string, number[]>;
  readonly faults: readonly string[];
  readonly dispatches: number;
}

/** `cells`, `inputs` and `data` ("set.field") hold the values before. */
export function interpretEntry(
  program: Program,
  id: string,
  given: {
    cells?: Record<string, ArrayLike<number>>;
    inputs?: Record<string, ArrayLike<number>>;
    data?: Record<string, ArrayLike<number>>;
    scalars?: Partial<Scalars>;
  },
  limits: Partial<DeviceProfile> = {},
): Interpreted {
  const prepared = prepareProgram(program, limits);
  const entry = prepared.entries.find((e) => e.entry.id === id);
  if (!entry) throw new Error(`no entry ${id}`);
  const { lowered, place } = entry;
  const buffers = new Map<string, Float64Array>();
  for (const b of prepared.buffers.all()) {
    const bytesEach = program.data.some((d) =>
      d.fields.some((f) => `data:${d.name}.${f.name}` === b.id && f.storage === 'u8'),
    )
      ? 1
      : 4;
    buffers.set(b.id, new Float64Array(b.bytes / bytesEach));
  }
  const write = (at: { buffer: string; offset: number }, values: ArrayLike<number>): void =>
    (buffers.get(at.buffer) as Float64Array).set(Array.from(values), at.offset);
  const read = (at: { buffer: string; offset: number }, shape: readonly number[]): number[] =>
    Array.from((buffers.get(at.buffer) as Float64Array).subarray(at.offset, at.offset + sizeOf(shape)));
  for (const c of program.cells)
    write(prepared.cells.get(c.id) as { buffer: string; offset: number }, given.cells?.[c.id] ?? []);
  for (const [name, values] of Object.entries(given.inputs ?? {})) write(place(`input:${name}`), values);
  for (const [name, values] of Object.entries(given.data ?? {})) write(place(`data:${name}`), values);
  const host = evaluateHost(lowered.host, { seed: 0, step: 0, steps: 1, hyper: () => 0, ...given.scalars });
  for (const p of lowered.params) write({ buffer: 'params', offset: p.word }, [host[p.value][p.component]]);

  const raised = new Set<number>();
  let dispatches = 0;
  const run = (unit: Unit): void => {
    dispatches++;
    const problems = verifyKernel(unit.kernel);
    if (problems.length > 0) throw new Error(`${unit.label}: ${problems.join('; ')}`);
    const outcome = interpretKernel(unit.kernel, (tensor) => {
      const at = place(tensor);
      return { data: buffers.get(at.buffer) as Float64Array, offset: at.offset };
    });
    outcome.faults.forEach((f) => raised.add(f));
  };
  const runAll = (steps: readonly Step[]): void => {
    for (const step of steps) {
      if (step.kind === 'kernel') run(step);
      else if (step.kind === 'repeat') for (let turn = 0; turn < step.turns; turn++) runAll(step.steps);
      else runAll(host[step.value][0] !== 0 ? step.taken : step.otherwise);
    }
  };
  runAll(lowered.steps);
  const reported = (r: Reported): number[] =>
    r.kind === 'word' ? read({ buffer: 'reports', offset: r.word }, []) : host[r.value];
  const outputs: Record<string, number[]> = {};
  entry.entry.outputs.forEach((o, k) => {
    if (o.kind === 'result') outputs[o.name] = read(place(`result:${o.name}`), o.value.type.shape);
    else {
      const when = lowered.conditions.get(k);
      if (!when || reported(when)[0] !== 0) outputs[o.name] = reported(lowered.outputs.get(k) as Reported);
    }
  });
  return {
    outputs,
    cells: Object.fromEntries(
      program.cells.map((c) => [
        c.id,
        read(prepared.cells.get(c.id) as { buffer: string; offset: number }, c.type.shape),
      ]),
    ),
    faults: [...raised].map((f) => lowered.faults[f - 1].message),
    dispatches,
  };
}
