/** The tables of a benchmark run, in Markdown. */
export interface Row {
  readonly name: string;
  readonly milliseconds: number;
  /** What all threads of the process have computed: where the processor is the GPU, this is the work itself, however busy the machine is. */
  readonly processorMilliseconds: number;
  /** From opening to the end of the first step, kernels being compiled; a library is loaded by its first workload. */
  readonly firstMilliseconds: number;
  readonly dispatches: number;
  readonly submits: number;
  readonly peakBytes: number;
  /** Relative distance of what it has computed from the first contender's. */
  readonly apart: number;
}

/** One workload, a row for each system. */
export function figures(name: string, steps: number, rows: readonly Row[]): string {
  return table(
    [
      `${name}, ${steps} steps a round`,
      'ms per step',
      'times the first',
      'processor ms',
      'times the first',
      'first step, ms',
      'dispatches',
      'submits',
      'peak MB',
      'apart',
    ],
    rows.map((r) => [
      r.name,
      digits(r.milliseconds),
      `${digits(r.milliseconds / rows[0].milliseconds)}x`,
      digits(r.processorMilliseconds),
      `${digits(r.processorMilliseconds / rows[0].processorMilliseconds)}x`,
      r.firstMilliseconds.toFixed(0),
      digits(r.dispatches),
      digits(r.submits),
      (r.peakBytes / 2 ** 20).toFixed(1),
      r.apart.toExponential(0),
    ]),
  );
}

/** All workloads, a row for each: milliseconds a step with dispatches, and the others' times of the first's, by the clock and by the processor. */
export function summary(all: Readonly<Record<string, readonly Row[]>>): string {
  const systems = [...new Set(Object.values(all).flatMap((rows) => rows.map((r) => r.name)))];
  const others = systems.slice(1);
  const cell = (row: Row | undefined) =>
    row ? `${digits(row.milliseconds)}, ${digits(row.processorMilliseconds)} (${digits(row.dispatches)})` : '';
  const times = (row: Row | undefined, [first]: readonly Row[]) =>
    row
      ? `${digits(row.milliseconds / first.milliseconds)}x, ${digits(row.processorMilliseconds / first.processorMilliseconds)}x`
      : '';
  return table(
    ['ms per step, processor ms (dispatches)', ...systems, ...others.map((s) => `${s} / ${systems[0]}`)],
    Object.entries(all).map(([name, rows]) => {
      const of = (system: string) => rows.find((r) => r.name === system);
      return [name, ...systems.map((s) => cell(of(s))), ...others.map((s) => times(of(s), rows))];
    }),
  );
}

/** Three significant digits. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('');
}
