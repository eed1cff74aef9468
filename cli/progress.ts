/**
 * What a run shows while it goes on. On a terminal: a block that is redrawn in place, with a bar, rate and time left, the latest values, and a sparkline of
 * the first report of each run. Elsewhere (a file, a log of a CI job): one plain line every few seconds. The clock and the output are injected.
 */
import type pc from 'picocolors';
import { show } from '../runtime/report/numbers.ts';
import type { Report } from '../runtime/session.ts';

export { show };

type Colours = ReturnType<typeof pc.createColors>;

export interface ProgressOptions {
  readonly write: (text: string) => void;
  /** Redraw in place; else plain lines. */
  readonly live: boolean;
  readonly colours: Colours;
  /** Width of the terminal in characters. */
  readonly width: () => number;
  /** Training steps of the whole schedule, for the bar. */
  readonly total: number;
  /** Steps that were done before (by the run that is resumed). */
  readonly done: number;
  /** Milliseconds. */
  readonly now: () => number;
}

const REDRAW_MS = 100;
const PLAIN_MS = 5000;
/** The rate is that of so much of the past. */
const PACE_MS = 10_000;
const BAR = 24;
const SPARK = 40;
const LEVELS = '▁▂▃▄▅▆▇█';

/** The curve of one run: means of its values over at most `SPARK` stretches of equal length. */
class Curve {
  private sums: number[] = [];
  private counts: number[] = [];
  private stretch = 1;
  private filled = 0;

  add(value: number): void {
    if (this.filled === this.stretch || this.sums.length === 0) {
      if (this.sums.length === SPARK) this.halve();
      if (this.filled === this.stretch || this.sums.length === 0) {
        this.sums.push(0);
        this.counts.push(0);
        this.filled = 0;
      }
    }
    this.sums[this.sums.length - 1] += value;
    this.counts[this.counts.length - 1]++;
    this.filled++;
  }

  /** Joins neighbours, so that the whole run stays in view. */
  private halve(): void {
    const pairs = (list: number[]) => Array.from({ length: list.length / 2 }, (_, i) => list[2 * i] + list[2 * i + 1]);
    this.sums = pairs(this.sums);
    this.counts = pairs(this.counts);
    this.stretch *= 2;
  }

  text(): string {
    const means = this.sums.map((sum, i) => sum / this.counts[i]);
    return sparkline(means);
  }
}

/** Values as bars of eight heights, the least lowest. */
export function sparkline(values: readonly number[]): string {
  const low = Math.min(...values);
  const high = Math.max(...values);
  return values.map((v) => LEVELS[high > low ? Math.min(7, Math.floor((8 * (v - low)) / (high - low))) : 0]).join('');
}

/** Seconds for people: "8 s", "3 min 20 s", "1 h 04 min". */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`;
  return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, '0')} min`;
}

export class Progress {
  private readonly options: ProgressOptions;
  private drawnAt: number;
  private drawnLines = 0;
  private steps = 0;
  private readonly samples: { readonly at: number; steps: number }[] = [];
  private last: Report | undefined;
  /** Latest values and curve of each run, in order of appearance. */
  private readonly runs = new Map<string, { values: Map<string, number>; curve: Curve; curveOf: string | undefined }>();
  private shown = true;

  constructor(options: ProgressOptions) {
    this.options = options;
    this.drawnAt = options.live ? -Infinity : options.now();
  }

  report(report: Report): void {
    this.last = report;
    if (report.kind === 'step') this.steps++;
    const now = this.options.now();
    if (this.steps > 0) this.sample(now);
    let run = this.runs.get(report.run);
    if (!run) this.runs.set(report.run, (run = { values: new Map(), curve: new Curve(), curveOf: undefined }));
    for (const [name, value] of Object.entries(report.values)) run.values.set(name, value);
    if (report.kind === 'step') {
      run.curveOf ??= Object.keys(report.values)[0];
      if (run.curveOf !== undefined) run.curve.add(report.values[run.curveOf]);
    }
    if (now - this.drawnAt < (this.options.live ? REDRAW_MS : PLAIN_MS)) return;
    this.drawnAt = now;
    this.draw();
  }

  /** A line that stays, above the display. */
  note(text: string): void {
    this.erase();
    this.options.write(`${text}\n`);
    if (this.options.live && this.last && this.shown) this.draw();
  }

  /** The last state, which stays on the screen. */
  finish(): void {
    if (this.last) this.draw();
    this.drawnLines = 0;
    this.shown = false;
  }

  private erase(): void {
    if (this.drawnLines > 0) this.options.write(`\x1b[${this.drawnLines}A\x1b[0J`);
    this.drawnLines = 0;
  }

  private draw(): void {
    if (!this.last) return;
    const lines = this.options.live ? this.block(this.last) : [this.plainLine(this.last)];
    this.erase();
    this.options.write(`${lines.join('\n')}\n`);
    if (this.options.live) this.drawnLines = lines.length;
  }

  /** "dann train 40/300"; the names of phases that have none of their own are left out. An eval outside of any phase has no count. */
  private where(report: Report): string {
    const unnamed = report.phase === 'train' || report.phase === 'once';
    const name = [report.run, unnamed ? '' : report.phase].filter((part) => part !== '').join(' ');
    const step = report.kind === 'step' ? report.step + 1 : report.step;
    if (report.phase === 'once') return name === '' ? 'eval' : name;
    return `${name === '' ? 'step' : name} ${step}/${report.steps}`;
  }

  /** "412 steps/s, 2 s left": over the last seconds, because the first step compiles kernels and evals come in between. */
  private pace(): string {
    const first = this.samples[0];
    if (!first) return '';
    const seconds = (this.options.now() - first.at) / 1000;
    if (seconds < 0.2 || this.steps === first.steps) return '';
    const rate = (this.steps - first.steps) / seconds;
    const left = Math.max(0, this.options.total - this.options.done - this.steps) / rate;
    const pace =
      rate >= 10
        ? `${Math.round(rate)} steps/s`
        : rate >= 1
          ? `${rate.toFixed(1)} steps/s`
          : `${(1 / rate).toFixed(1)} s/step`;
    return left > 0 ? `${pace}, ${duration(left)} left` : pace;
  }

  /** Keeps how many steps were done when, for the last `PACE_MS`. The first batch of reports is where counting begins. */
  private sample(now: number): void {
    const last = this.samples[this.samples.length - 1];
    if (last && now - last.at < PACE_MS / 20) {
      if (this.samples.length === 1 && now - last.at < 5) last.steps = this.steps;
      return;
    }
    this.samples.push({ at: now, steps: this.steps });
    while (this.samples.length > 2 && now - this.samples[1].at > PACE_MS) this.samples.shift();
  }

  private plainLine(report: Report): string {
    const values = [...(this.runs.get(report.run)?.values ?? [])]
      .map(([name, value]) => `${name} ${show(value)}`)
      .join('  ');
    return [this.where(report), this.pace(), values].filter((part) => part !== '').join('  ');
  }

  private block(report: Report): string[] {
    const { colours: c, total, done } = this.options;
    const part = total > 0 ? Math.min(1, (done + this.steps) / total) : 1;
    const full = Math.round(part * BAR);
    const bar = c.cyan('█'.repeat(full)) + c.dim('░'.repeat(BAR - full));
    const lines = [
      {
        plain: `${'█'.repeat(BAR)} ${this.where(report)}  ${this.pace()}`,
        text: `${bar} ${this.where(report)}  ${c.dim(this.pace())}`,
      },
    ];
    for (const [name, run] of this.runs) {
      const values = [...run.values].map(([n, v]) => `${n} ${show(v)}`).join('  ');
      const label = name === '' ? '' : `${name}  `;
      lines.push({ plain: `  ${label}${values}`, text: `  ${c.bold(label)}${values}` });
      const curve = run.curve.text();
      if (curve)
        lines.push({ plain: `  ${curve} ${run.curveOf}`, text: `  ${c.green(curve)} ${c.dim(run.curveOf ?? '')}` });
    }
    // A line that wraps could not be redrawn in place: too long ones are cut, then without colours.
    const width = Math.max(20, this.options.width() - 1);
    return lines.map(({ plain, text }) => (plain.length > width ? `${plain.slice(0, width - 1)}…` : text));
  }
}
