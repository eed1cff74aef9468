/**
 * Line charts as SVG text: no script, nothing loaded. Long curves are drawn as the means of equal stretches with the band between least and greatest value,
 * so that a chart of a million steps is as small as one of a thousand and hides no spike.
 */
import { escapeHtml } from './escape.ts';
import { show } from './numbers.ts';

/** One curve. `x` ascends; values are finite. */
export interface Curve {
  /** Told by the tooltip. */
  readonly label: string;
  /** Index into the palette (see `palette`); curves of one group share it. */
  readonly colour: number;
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** Okabe and Ito's colours, which colour-blind readers can tell apart; the last are for what exceeds them. */
export const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7f7f7f', '#a0522d'];

const WIDTH = 560;
const HEIGHT = 240;
const LEFT = 62;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 28;
/** Points of a curve that is drawn as it is; more are drawn as so many stretches. */
const POINTS = 400;

/** A stretch of a curve: where it lies, its mean, least and greatest value. */
interface Stretch {
  readonly x: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** The chart of all curves, over one pair of axes. The vertical one is logarithmic where no value is negative and they span more than two decades. */
export function chart(name: string, curves: readonly Curve[]): string {
  const drawn = curves.filter((c) => c.x.length > 0).map((c) => ({ ...c, stretches: stretches(c) }));
  const xs = drawn.flatMap((c) => [c.x[0], c.x[c.x.length - 1]]);
  const lows = drawn.flatMap((c) => c.stretches.map((s) => s.low));
  const highs = drawn.flatMap((c) => c.stretches.map((s) => s.high));
  const [lowest, high] = [least(lows), greatest(highs)];
  // A loss that reaches 0 exactly is drawn at the foot.
  const positive = least([...lows, ...highs].filter((v) => v > 0));
  const logarithmic = lowest >= 0 && high / positive > 100;
  const across = scale(least(xs), greatest(xs), LEFT, WIDTH - RIGHT, false);
  const up = scale(logarithmic ? positive : lowest, high, HEIGHT - BOTTOM, TOP, logarithmic);
  const label = `${name} over steps${logarithmic ? ', logarithmic' : ''}`;
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(label)}">`,
    ...up.ticks.map((v) => gridLine(up.at(v), show(v))),
    ...across.ticks.map((v) => `<text class="x" x="${px(across.at(v))}" y="${HEIGHT - 10}">${show(v)}</text>`),
    `<path class="axis" d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}"/>`,
    ...drawn.map((c) => curve(c, across.at, up.at)),
    '</svg>',
  ].join('\n');
}

function curve(c: Curve & { readonly stretches: readonly Stretch[] }, x: Place, y: Place): string {
  const colour = palette[c.colour % palette.length];
  const title = `<title>${escapeHtml(c.label)}: ${show(c.y[c.y.length - 1])}</title>`;
  const points = c.stretches.map((s) => `${px(x(s.x))},${px(y(s.mean))}`).join(' ');
  if (c.stretches.length === 1) {
    const [cx, cy] = points.split(',');
    return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}">${title}</circle>`;
  }
  const top = c.stretches.map((s) => `${px(x(s.x))},${px(y(s.high))}`);
  const bottom = c.stretches.map((s) => `${px(x(s.x))},${px(y(s.low))}`).reverse();
  const band =
    c.y.length > POINTS ? `<polygon points="${[...top, ...bottom].join(' ')}" fill="${colour}" opacity="0.18"/>` : '';
  return `${band}<polyline points="${points}" stroke="${colour}">${title}</polyline>`;
}

function gridLine(y: number, text: string): string {
  return `<path class="grid" d="M${LEFT} ${px(y)}H${WIDTH - RIGHT}"/><text class="y" x="${LEFT - 6}" y="${px(y + 3.5)}">${text}</text>`;
}

function stretches({ x, y }: Curve): Stretch[] {
  if (y.length <= POINTS) return y.map((v, i) => ({ x: x[i], mean: v, low: v, high: v }));
  return Array.from({ length: POINTS }, (_, k) => {
    const from = Math.floor((k * y.length) / POINTS);
    const part = y.slice(from, Math.floor(((k + 1) * y.length) / POINTS));
    const middle = x[from + (part.length >> 1)];
    return { x: middle, mean: part.reduce((a, b) => a + b, 0) / part.length, low: least(part), high: greatest(part) };
  });
}

type Place = (value: number) => number;

/** An axis from `low` to `high`, drawn between two positions. */
function scale(low: number, high: number, from: number, to: number, logarithmic: boolean) {
  // A flat curve runs through the middle.
  const flat = high <= low ? Math.max(Math.abs(low) * 0.1, 1e-3) : 0;
  const of: Place = logarithmic ? (v) => Math.log10(Math.max(v, low)) : (v) => v;
  const [a, b] = [of(low) - flat, of(high) + flat];
  const at: Place = (value) => from + ((of(value) - a) / (b - a)) * (to - from);
  return { at, ticks: logarithmic ? decades(low, high) : evenTicks(a, b) };
}

/** Four to eight round numbers within the range. */
export function evenTicks(low: number, high: number): number[] {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
  const count = Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1;
  // Rounded to the digits of the step: 0.1 + 0.2 is to be shown as 0.3.
  return Array.from({ length: Math.max(0, count) }, (_, i) =>
    Number(((Math.ceil(low / step - 1e-9) + i) * step).toPrecision(12)),
  );
}

/** Powers of ten within the range, at most eight. */
function decades(low: number, high: number): number[] {
  const [from, to] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const step = Math.max(1, Math.ceil((to - from + 1) / 8));
  const ticks: number[] = [];
  for (let k = from; k <= to; k += step) ticks.push(Number(`1e${k}`));
  return ticks;
}

// Spreading a long array into Math.min overflows the stack.
const least = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b), Infinity);
const greatest = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const px = (v: number) => String(Math.round(v * 10) / 10);
