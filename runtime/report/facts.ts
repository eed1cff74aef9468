/** Static facts of a compiled program that claims may read: bytes known from the memory plan, before anything runs. */
import type { Bundle, BundleCell } from '../../compiler/bundle/format.ts';

/**
 * `peak_bytes(run.step | run.eval | export)`: cells of the run and of the file level, and the largest temporaries of the entry.
 * `bytes(run.state)`, `bytes(run.MODEL)`: of the cells meant. `of` is as written, the run's name and a dot left off in a file without trials.
 * Undefined where nothing of that name exists.
 */
export function factBytes(bundle: Bundle, fact: 'peak_bytes' | 'bytes', of: string): number | undefined {
  const dot = of.indexOf('.');
  const named = dot >= 0 && bundle.runs.some((r) => r.name === of.slice(0, dot));
  const run = named ? of.slice(0, dot) : '';
  const part = named ? of.slice(dot + 1) : of;
  return fact === 'bytes' ? bytesOf(bundle, run, part, of) : peakOf(bundle, run, part);
}

function bytesOf(bundle: Bundle, run: string, part: string, of: string): number | undefined {
  if (part === 'state') return sum(bundle.cells.filter((c) => c.run === run && c.kind === 'state'));
  const model = bundle.models.find((m) => m.name === of || (m.run === run && m.name === part));
  const ids = model ? new Set(model.cells) : new Set([of, `${run}/${part}`]);
  const cells = bundle.cells.filter((c) => ids.has(c.id));
  return cells.length > 0 ? sum(cells) : undefined;
}

function peakOf(bundle: Bundle, run: string, part: string): number | undefined {
  const entries = entriesOf(bundle, run, part);
  if (entries.length === 0) return undefined;
  const cells = sum(bundle.cells.filter((c) => c.run === run || c.run === ''));
  return cells + Math.max(...entries.map((id) => bundle.memory.temps[id] ?? 0));
}

function entriesOf(bundle: Bundle, run: string, part: string): string[] {
  const phases = bundle.schedule.filter((p) => p.run === run);
  if (part === 'step') return phases.flatMap((p) => (p.kind === 'train' ? [p.entry] : []));
  if (part === 'eval') {
    const metrics = new Set(bundle.entries.filter((e) => e.outputs.some((o) => o.kind === 'metric')).map((e) => e.id));
    return phases.flatMap((p) =>
      p.kind === 'train' ? p.evals.map((e) => e.entry) : metrics.has(p.entry) ? [p.entry] : [],
    );
  }
  return bundle.exports.filter((e) => e.name === part).map((e) => e.entry);
}

function sum(cells: readonly BundleCell[]): number {
  return cells.reduce((bytes, c) => bytes + 4 * c.type.shape.reduce((a, b) => a * b, 1), 0);
}
