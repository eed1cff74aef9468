/** scan, fixed, checkpoint: values against recurrences computed here, derivatives against finite differences and closed forms. */
import { describe, expect, test } from 'vitest';
import { reachable } from '../../../compiler/ir/tensor/graph.ts';
import { holds } from './decide.ts';
import { compileSpec, errorsOf, evaluateAll, runSpec } from './run-spec.ts';

const ops = (text: string): string[] => {
  const { program } = compileSpec(text);
  return reachable(program.entries.flatMap((entry) => entry.outputs.map((o) => o.value))).map((node) => node.op);
};

describe('scan', () => {
  // 30 turns do not fit in what is written out
  const recurrence = (w: number, n: number) => {
    let [h, sum] = [0.1, 0];
    const all: number[] = [];
    for (let i = 0; i < n; i++) {
      h = Math.tanh(w * h + Math.sin(i));
      sum += h * i;
      all.push(h * h);
    }
    return { h, sum, all: all.reduce((a, b) => a + b, 0) };
  };
  const scan = (n: number, more = '') =>
    `var w = 0.7
let xs = sin(f32(0..${n}))
fn run = scan (h, s, k) = (0.1, 0, 0) for x in xs${more} { emit h^2; let g = tanh(w * h + x); next (g, s + g * f32(k), k + 1) }
`.replace('emit h^2; let g = tanh(w * h + x)', 'let g = tanh(w * h + x); emit g^2');
  const cost = 'fn cost() { let ((h, s, k), all) = run; h + 0.1 * s + sum(all) + 0 * f32(k) }\n';
  const wanted = (w: number, n: number) => {
    const r = recurrence(w, n);
    return r.h + 0.1 * r.sum + r.all;
  };
  test.each([0, 1, 5, 30])('values and both derivatives over %i turns', (n) => {
    const [value, reverse, forward, second] = evaluateAll(
      ['cost()', 'grad(cost(), w)', 'jvp(cost(), w, 1)', 'hvp(cost(), w, 1)'],
      scan(n) + cost,
    );
    const d = 1e-4;
    const slope = (wanted(0.7 + d, n) - wanted(0.7 - d, n)) / (2 * d);
    expect(value).toBeCloseTo(wanted(0.7, n), 5);
    expect(reverse).toBeCloseTo(slope, 4);
    expect(forward).toBeCloseTo(slope, 4);
    expect(second).toBeCloseTo((wanted(0.7 + d, n) - 2 * wanted(0.7, n) + wanted(0.7 - d, n)) / d ** 2, 2);
  });
  test.each([1, 4, 7, 100])('checkpoint %i changes no value and no derivative', (k) => {
    const text = (more: string) => evaluateAll(['cost()', 'grad(cost(), w)'], scan(30, more) + cost);
    const [plain, kept] = [text(''), text(` checkpoint ${k}`)];
    expect(kept[0]).toBeCloseTo(plain[0], 6);
    expect(kept[1]).toBeCloseTo(plain[1], 5);
  });
  test('is one loop, or written out where it is short', () => {
    expect(ops(`${scan(30)}metric m = run[0][0]`).filter((op) => op === 'loop')).toHaveLength(1);
    expect(ops(`${scan(3)}metric m = run[0][0]`)).not.toContain('loop');
  });
  test('over ranges, zips of records, pairs, in a fn with arguments', () => {
    const [a, b, c, d] = evaluateAll(
      [
        'scan t = 1 for i in 2..12 { next t * f32(i) / 2 }',
        'scan t = 0.0 for (x, y) in ([1.0, 2, 3], [4.0, 5, 6]) { next t + x * y }',
        'scan t = 0.0 for (a, b) in pairs([1.0, 4, 9, 16]) { next t * 2 + (b - a) }',
        'sum(power([[1.0, 1], [0, 1]], 20))',
      ],
      'fn power(A: f32[n, n], k: dim) = scan P = A for i in 1..k { next P @ A }',
    );
    expect(a).toBeCloseTo(
      [2, 3, 4, 5, 6, 7, 8, 9, 10, 11].reduce((p, i) => (p * i) / 2, 1),
      0,
    );
    expect(b).toBe(4 + 10 + 18);
    expect(c).toBe((3 * 2 + 5) * 2 + 7);
    expect(d).toBe(2 + 20);
  });
  test('draws of each turn differ, rolled or written out alike; a map of scans is a scan of maps', () => {
    const path = (n: number) =>
      runSpec(`let (h, all) = scan h = 0.0 for i in 0..${n} { sample z ~ normal f32; emit z; next h + z }
var keep = all`).values('keep');
    const [short, long] = [path(4), path(40)];
    expect(new Set(long).size).toBe(40);
    expect(short).toEqual(long.slice(0, 4));
    const [a, b] = evaluateAll(['sum(map starts as s { walk(s) })', 'walk(1.0) + walk(2.0)'], `
let starts = [1.0, 2]
fn walk(s) = scan h = s for i in 0..20 { next sin(h + f32(i)) }`); // prettier-ignore
    expect(a).toBeCloseTo(b, 5);
  });
  test('integers and conditions may be carried; a run-time if inside takes one side', () => {
    const [a] = evaluateAll(
      ['grad(run(1.0)[0], w)'],
      `var w = 3.0
fn run(x) = scan (x, k, odd) = (x, 0, false) for i in 0..20 {
  let y = if odd { x * w } else { x }
  next (where(k < 4, y, x), k + 1, not odd)
}`,
    );
    expect(a).toBeCloseTo(6, 5);
  });
  test('what is wrong is said', () => {
    const code = (text: string) => errorsOf(`metric m = ${text}`).map((d) => d.code);
    expect(code('scan h = 0.0 for i in 0..3 { emit h }')).toEqual(['OPT424']);
    expect(code('scan h = 0.0 for i in 0..3 { next zeros(2) }')).toEqual(['OPT302']);
    expect(code('scan (a, b) = (0.0, 1.0) for i in 0..3 { next a }')).toEqual(['OPT313']);
    expect(code('scan h = 0.0 for i in 0..3 checkpoint 0 { next h }')).toEqual(['OPT305']);
    expect(code('scan h = 0.0 for i in 3.0 { next h }')).toEqual(['OPT304']);
    const write = 'var w = 0.0\ntrain 1 { let y = scan h = 0.0 for i in 0..20 { w <- h; next h + 1 }; w <- y }';
    expect(errorsOf(write).map((d) => d.code)).toEqual(['OPT422']);
  });
});

describe('fixed', () => {
  test('the number that is its own cosine, with facts', () => {
    const [z, residual, count, more] = evaluateAll(
      ['z', 'z.residual', 'z.count', 'w.count'],
      'let z = fixed z = 0.0 { cos(z) } until 1e-6 max 100\nlet w = fixed z = 0.0 { cos(z) } until 1e-6 max 5',
    );
    expect(z).toBeCloseTo(0.7390851, 5);
    expect(residual).toBeLessThanOrEqual(1e-6);
    expect(count).toBeGreaterThan(20);
    expect(count).toBeLessThan(100);
    expect(more).toBe(5);
  });
  // z = A tanh(z) + b with a contraction; by a dense solve: dz/db = (I - A diag(1 - tanh^2))^-1
  const system = `var a = 0.3
let A = [[0.2, -0.4], [0.3, 0.1]]
fn point(a) = fixed z = zeros(2) { A @ tanh(z) + a * [1.0, 2] } until 1e-7 max 200
fn cost = sum(point(a)^2)
`;
  const solve = (a: number) => {
    let [x, y] = [0, 0];
    for (let i = 0; i < 500; i++) {
      const [s, t] = [Math.tanh(x), Math.tanh(y)];
      [x, y] = [0.2 * s - 0.4 * t + a, 0.3 * s + 0.1 * t + 2 * a];
    }
    return x * x + y * y;
  };
  test('the implicit derivative: reverse, forward, second order', () => {
    const [value, reverse, forward, second] = evaluateAll(
      ['cost', 'grad(cost, a)', 'jvp(cost, a, 1)', 'grad(grad(cost, a), a)'],
      system,
    );
    const d = 1e-4;
    expect(value).toBeCloseTo(solve(0.3), 5);
    const slope = (solve(0.3 + d) - solve(0.3 - d)) / (2 * d);
    expect(reverse).toBeCloseTo(slope, 4);
    expect(forward).toBeCloseTo(slope, 4);
    expect(second).toBeCloseTo((solve(0.3 + d) - 2 * solve(0.3) + solve(0.3 - d)) / d ** 2, 2);
  });
  test('the derivative does not depend on where it began', () => {
    const near = system.replace(
      'zeros(2)',
      'stop(fixed y = zeros(2) { A @ tanh(y) + a * [1.0, 2] } until 1e-7 max 200)',
    );
    const [far, begun, count] = [...evaluateAll(['grad(cost, a)'], system), ...evaluateAll(['grad(cost, a)', 'point(a).count'], near)]; // prettier-ignore
    expect(count).toBeLessThanOrEqual(2);
    expect(begun).toBeCloseTo(far, 4);
  });
  describe.each(['gmres(tol: 1e-9)', 'neumann_series(tol: 1e-10)', 'dense'])('its linear system by %s', (by) => {
    const text = `use linalg { gmres, neumann_series, solve_linear, eye }
fn dense(A: fn, b: f32[n]) -> f32[n] { solve_linear(transpose(map eye(len(b)) as v { A(v) }), b) }
${system.replace('max 200', `max 200 by ${by}`)}`;
    test('reverse, forward, second order both ways', () => {
      const [value, reverse, forward, second, along] = evaluateAll(
        ['cost', 'grad(cost, a)', 'jvp(cost, a, 1)', 'grad(grad(cost, a), a)', 'hvp(cost, a, 1)'],
        text,
      );
      const d = 1e-4;
      expect(value).toBeCloseTo(solve(0.3), 5);
      const slope = (solve(0.3 + d) - solve(0.3 - d)) / (2 * d);
      const curve = (solve(0.3 + d) - 2 * solve(0.3) + solve(0.3 - d)) / d ** 2;
      for (const found of [reverse, forward]) expect(found).toBeCloseTo(slope, 5);
      for (const found of [second, along]) expect(found).toBeCloseTo(curve, 4);
    });
    test('element by element, and no third derivative', () => {
      const [each, one, two] = evaluateAll(
        [
          'sum(map [0.3, 0.4] as u { grad(sum(point(u)^2), u) })',
          'grad(cost, a)',
          'grad(cost at { a: 0.4 + 0 * a }, a)',
        ],
        text,
      );
      expect(two).toBe(0);
      expect(each).toBeCloseTo(one + (solve(0.4001) - solve(0.3999)) / 0.0002, 4);
      expect(errorsOf(`${text}metric third = grad(grad(grad(cost, a), a), a)`).map((d) => d.code)).toEqual(['OPT430']);
    });
  });
  test('symmetric systems by conjugate gradients, trees too', () => {
    const [slope] = evaluateAll(
      ['grad(p.x + 2 * p.y, a)'],
      'use linalg { conjugate_gradients }\nvar a = 1.0\nlet p = fixed p = { x: 0.0, y: 0.0 } { { x: 0.5 * p.y + a, y: 0.5 * p.x } } until 1e-6 max 100 by conjugate_gradients',
    );
    // x = a / (1 - 1/4), y = x / 2
    expect(slope).toBeCloseTo(8 / 3, 6);
  });
  test('trees, and for each element of a map until it has arrived', () => {
    const [tree, mapped, counts] = evaluateAll(
      [
        'p.x + p.y',
        'sum(map cs as c { grad(fixed z = 1.0 { (z + c / z) / 2 } until 1e-6 max 100, c) })',
        'sum(map cs as c { f32((fixed z = 1.0 { (z + c / z) / 2 } until 1e-6 max 100).count > 1) })',
      ],
      'let p = fixed p = { x: 0.0, y: 0.0 } { { x: 0.5 * p.y + 1, y: 0.5 * p.x } } until 1e-6 max 100\nlet cs = [1.0, 4, 9]',
    );
    expect(tree).toBeCloseTo(4 / 3 + 2 / 3, 5);
    expect(mapped).toBeCloseTo(0.5 + 0.25 + 1 / 6, 4);
    expect(counts).toBe(2);
  });
});

describe('checkpoint', () => {
  test('changes no value and no derivative, and its inside is computed again', () => {
    const text =
      'let xs = [0.1, 0.7]\nvar w = 2.0\nfn plain = sum(exp(sin(xs * w)))\nfn kept = checkpoint { sum(exp(sin(xs * w))) }';
    const [a, b, c, d] = evaluateAll(['plain', 'kept', 'grad(plain, w)', 'grad(kept, w)'], text);
    expect(b).toBe(a);
    expect(d).toBeCloseTo(c, 6);
    expect(ops(`${text}\nmetric m = grad(kept, w)`)).toContain('loop');
  });
  test('draws inside are drawn once', () => {
    const [a] = evaluateAll(
      ['grad(c, w) - c / w'],
      'var w = 2.0\nfn c = checkpoint { sample z ~ normal f32[3]; sum(z) * w }',
    );
    expect(a).toBeCloseTo(0, 6);
  });
});

describe('checkpoint keep', () => {
  const text = (keep: string, fn = 'fn f(v) = exp(sin(v))') => `let xs = [0.1, 0.7, -0.4]
var w = 0.9
${fn}
fn loss() = checkpoint ${keep} { let y = f(xs * w); sum(tanh(y)^2 * w) }
`;
  const wanted = (w: number) => [0.1, 0.7, -0.4].reduce((s, x) => s + Math.tanh(Math.exp(Math.sin(x * w))) ** 2 * w, 0);
  const slope = (f: (w: number) => number, d = 1e-4) => (f(0.9 + d) - f(0.9 - d)) / (2 * d);
  const derivatives = [
    'loss()',
    'grad(loss(), w)',
    'jvp(loss(), w, 1)',
    'hvp(loss(), w, 1)',
    'grad(grad(loss(), w)^2, w)',
  ];

  test('changes no value and no derivative of any order', () => {
    const [plain, kept] = ['', 'keep f'].map((keep) => evaluateAll(derivatives, text(keep)));
    kept.forEach((value, k) => expect(value).toBeCloseTo(plain[k], 6));
    expect(kept[0]).toBeCloseTo(wanted(0.9), 5);
    expect(kept[1]).toBeCloseTo(slope(wanted), 5);
    expect(kept[3]).toBeCloseTo(
      slope((w) => slope((v) => wanted(v - 0.9 + w))),
      3,
    );
  });
  test('keeps the lets that a gradient clause reads', async () => {
    const fn = `fn costly(v) = sin(v)
fn f(v) { let s = costly(v); exp(s) } gradient g -> g * exp(s) * cos(v)`;
    const [plain, kept] = ['', 'keep f'].map((keep) => evaluateAll(derivatives, text(keep, fn)));
    kept.forEach((value, k) => expect(value).toBeCloseTo(plain[k], 6));
    expect(kept[1]).toBeCloseTo(slope(wanted), 5);
    expect([await calls('', 'costly', fn), await calls('keep f', 'costly', fn)]).toEqual([2, 1]);
  });
  test('what is kept is computed once', async () => {
    expect([await calls('', 'f'), await calls('keep f', 'f')]).toEqual([2, 1]);
  });

  /** Evaluations of a fn in one step of a training, as a claim counts them. */
  async function calls(keep: string, name: string, fn?: string): Promise<number> {
    const counts = [0, 1, 2, 3, 4];
    const expects = counts.map((n) => `expect calls(fit, ${name}) == ${n}`).join('\n');
    const move = 'train 1 as fit { update w by sgd(0.1) minimizing loss() }';
    return (await holds(`use rules { sgd }\n${text(keep, fn)}${move}\n${expects}\n`)).indexOf(true);
  }

  test('several calls, other values, in a map and in a scan', () => {
    const cases = [
      ['fn f(v) = exp(sin(v))', '{ let a = f(w * xs); let b = f(a); sum(b * a) }'],
      ['fn f(v) = { a: sin(v), n: i32(v * 10), b: exp(v) }', '{ let r = f(w * xs); sum(r.a * r.b * f32(r.n)) }'],
    ];
    for (const [fn, body] of cases) {
      for (const around of [
        'B',
        'sum(map xs as x { B at { w: w * x } })',
        'scan s = 0.0 for x in xs { next s + x * B }',
      ]) {
        const all = ['', 'keep f'].map((keep) =>
          evaluateAll(
            ['grad(c(), w)', 'c()'],
            `let xs = [0.1, 0.7, -0.4]\nvar w = 0.9\n${fn}\nfn c() = ${around.replace('B', `(checkpoint ${keep} ${body})`)}`,
          ),
        );
        all[1].forEach((value, k) => expect(value, `${body} ${around}`).toBeCloseTo(all[0][k], 5));
      }
    }
  });
  test('refusals', () => {
    const code = (keep: string, body: string) =>
      errorsOf(
        `let xs = [0.1, 0.7]\nvar w = 0.9\nfn f(v) = exp(v)\nfn g(v) = v\nmetric m = checkpoint keep ${keep} { ${body} }`,
      ).map((d) => d.code);
    expect(code('g', 'f(w)')).toEqual(['OPT414']);
    expect(code('xs', 'f(w)')).toEqual(['OPT304']);
    expect(code('f', 'scan h = 0.0 for i in 0..40 { next f(h * w) }')).toEqual(['OPT502']);
    expect(code('f', 'if w > 0 { f(w) } else { w }')).toEqual(['OPT502']);
  });
});
