/** `scan h = h0 while C max N { … }`: values against a recurrence computed here, derivatives against its differences and against the loop over a range. */
import { describe, expect, test } from 'vitest';
import { errorsOf, evaluateAll, runSpec } from './run-spec.ts';

/** The state after the turns from h, while it is below 100. */
function grown(w: number, h: number, max: number): number {
  for (let n = 0; n < max && h < 100; n++) h = w * h + 0.01 * h * h;
  return h;
}

const W = 1.3;
const starts = [1, 20, 500, 90];
const until = (start: string, max: number, more = '') =>
  `scan h = ${start} while h < 100 max ${max}${more} { next w * h + 0.01 * h^2 }`;
const over = (start: string, max: number) =>
  `scan h = ${start} for i in 0..${max} { next if h < 100 { w * h + 0.01 * h^2 } else { h } }`;
const preamble = `var w = ${W}\nlet starts = [${starts.join(', ')}] + 0.0\n`;
const close = (got: number, wanted: number) => expect(Math.abs(got / wanted - 1)).toBeLessThan(1e-5);

describe('a scan while a condition holds', () => {
  test.each([0, 3, 12, 30])('at most %i turns: value, reverse, forward and second derivatives', (max) => {
    const [value, reverse, forward, second] = evaluateAll(
      ['L', 'grad(L, w)', 'jvp(L, w, 1)', 'hvp(L, w, 1)'],
      `${preamble}fn L = ${until('1.0', max)} + 0 * w`,
    );
    const d = 1e-4;
    const [low, here, high] = [W - d, W, W + d].map((w) => grown(w, 1, max));
    expect(value).toBeCloseTo(here, 4);
    if (max === 0) return expect([reverse, forward, second]).toEqual([0, 0, 0]);
    for (const slope of [reverse, forward]) close(slope, (high - low) / (2 * d));
    expect(Math.abs(second / ((high - 2 * here + low) / d ** 2) - 1)).toBeLessThan(1e-4);
  });

  test.each(['', ' checkpoint 1', ' checkpoint 4', ' checkpoint 7', ' checkpoint 100'])(
    'is the loop over a range with an if, in a map too: states%s',
    (more) => {
      const forms = ['(1.0)', '(150.0)'].flatMap((start) => [until(start, 30, more), over(start, 30)]);
      const mapped = [until('s', 30, more), over('s', 30)].map((text) => `sum(map starts as s { ${text} })`);
      const names = [...forms, ...mapped].map((_, k) => `L${k}`);
      const text = `${preamble}${[...forms, ...mapped].map((form, k) => `fn L${k} = (${form}) + 0 * w`).join('\n')}`;
      const values = evaluateAll(
        names.flatMap((n) => [n, `grad(${n}, w)`, `hvp(${n}, w, 1)`]),
        text,
      );
      for (let k = 0; k < names.length; k += 2)
        for (let order = 0; order < 3; order++) {
          const [got, wanted] = [values[3 * k + order], values[3 * k + 3 + order]];
          expect(Math.abs(got - wanted)).toBeLessThan(1e-9 * Math.max(1, Math.abs(wanted)));
        }
      expect(values[0]).toBeCloseTo(grown(W, 1, 30), 4);
      expect(values[12]).toBeCloseTo(
        starts.map((s) => grown(W, s, 30)).reduce((a, b) => a + b),
        3,
      );
    },
  );

  test('the state may hold a count and a condition of its own; a loop within a loop', () => {
    const [turns, inner, slope] = evaluateAll(
      ['f32(counted[1])', 'nested', 'grad(nested, w)'],
      `var w = 3.0
let counted = scan (h, n, on) = (1.0, 0, true) while on max 50 { let g = 2 * h; next (g, n + 1, g < 1000) }
fn nested = scan s = 0.0 while s < 100 max 9 {
  let t = scan t = w while t < 20 max 9 { next t * w }
  next s + t
}`,
    );
    expect(turns).toBe(10);
    expect(inner).toBe(27 * 4);
    expect(slope).toBe(4 * 27);
  });

  test('each turn has draws of its own, those of the condition too, whatever is computed again', () => {
    const sum = (more: string) =>
      runSpec(`var w = 1.0
fn walk = scan h = 0.0 while h < 4 + coin() max 40${more} { sample z ~ uniform f32; next h + w * z }
fn coin() { sample c ~ uniform f32; c }
metric h = walk
metric slope = grad(walk, w)`);
    const [plain, again] = [sum(''), sum(' checkpoint 5')];
    expect(plain.last('h')).toBeGreaterThan(4);
    expect(plain.last('slope')).toBeCloseTo(plain.last('h'), 9);
    for (const name of ['h', 'slope']) expect(again.last(name)).toBe(plain.last(name));
  });

  test('an element that is done lets no NaN in', () => {
    const [value, slope] = evaluateAll(
      ['L', 'grad(L, w)'],
      `var w = 2.0
fn L = sum(map [1.0, 3] as s {
  let (t, h) = scan (t, h) = (s, 0.0) while t > 0.5 max 9 { next (t - 1, h + w / t) }
  h + 0 * t
})`,
    );
    expect(value).toBeCloseTo(2 * (1 + 11 / 6), 5);
    expect(slope).toBeCloseTo(1 + 11 / 6, 5);
  });

  test('what is wrong is said', () => {
    const code = (text: string) => errorsOf(`var w = 1.0\nmetric m = ${text}`).map((d) => d.code);
    expect(code('scan h = 0.0 while h < 3 max 9 { emit h; next h + 1 }')).toEqual(['OPT424']);
    expect(code('scan h = 0.0 while h + 1 max 9 { next h + 1 }')).toEqual(['OPT318']);
    expect(code('scan h = zeros(2) while h < 1 max 9 { next h + 1 }')).toEqual(['OPT318']);
    expect(code('scan h = 0.0 while h < 1 max -1 { next h + 1 }')).toEqual(['OPT305']);
    expect(code('scan h = 0.0 while h < 1 max w { next h + 1 }')).toEqual(['OPT305']);
    expect(code('scan h = 0.0 while h < 1 { next h + 1 }')).toEqual(['OPT108']);
    expect(code('scan h = 0.0 while g < 1 max 2 { next h + 1 }')).toEqual(['OPT201']);
  });
});
