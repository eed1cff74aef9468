/** Estimators of stdlib/estimators.opt: closed forms, means over many draws within four standard errors, and the privacy accountant against the plain binomial sum (test/oracles/aggregators.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { evaluateAll, runSpec } from './run-spec.ts';

interface Cost {
  readonly rate: number;
  readonly noise: number;
  readonly value: number;
}
const oracle = JSON.parse(readFileSync(join(import.meta.dirname, '../../oracles/aggregators.json'), 'utf8')) as {
  readonly rdp: (Cost & { readonly order: number })[];
  readonly epsilon: (Cost & { readonly steps: number; readonly delta: number })[];
};

const START = [1.5, -0.7, 0.3];
/** Gradient of sum(c * x^2), c = (1, 2, 3), at the start. */
const GRADIENT = [3, -2.8, 1.8];
const size = Math.hypot(...GRADIENT);

/** Direction of one update (x moves by its negative), or of the mean over steps. */
function direction(
  est: string,
  options: { steps?: number; objective?: string; names?: string; seed?: number } = {},
): number[] {
  const { steps = 1, objective = 'sum(c * x^2)', names, seed } = options;
  const used = names ?? [...new Set(est.match(/\b[a-z_]+(?=\()/g))].join(', ');
  const m = runSpec(
    `use estimators { ${used} }
    rule gather(n) for (p, g) { state s = zeros_like(p); s <- s + g / n; p <- p + 0 * g; report r = max(abs(g)) }
    let c = [1.0, 2.0, 3.0]
    var x: f32[3] = [1.5, -0.7, 0.3]
    train ${steps} { update x by gather(${steps}) minimizing ${objective} with ${est} }`,
    { seed },
  );
  return m.values([...m.cells.keys()].find((name) => name.endsWith('.s')) as string);
}
const near = (found: readonly number[], wanted: readonly number[], within: number): void =>
  found.forEach((v, i) => expect(Math.abs(v - wanted[i])).toBeLessThan(within));

describe('means over draws are the gradient', () => {
  // an entry of z z^T g has variance g_i^2 + |g|^2
  const q = 4000;
  const within = (4 * Math.sqrt(2) * size) / Math.sqrt(q);
  test.each(['spsa()', 'one_sided(1e-5)', 'forward_gradient()'])('averaged %s', (of) =>
    near(direction(`averaged(${q}, of: ${of})`), GRADIENT, within),
  );
  test('one that has a state', () => near(direction(`averaged(${q}, of: sparse(keep: 1))`), GRADIENT, within));
  test('all at once', () => near(direction(`at_once(${q}, of: spsa())`), GRADIENT, within));
  test('a random part of the coordinates, kept in scale', () =>
    near(direction(`averaged(${q}, of: subset_of(0.5))`), GRADIENT, (4 * 3) / Math.sqrt(q)));
  test('the sign of the difference: sqrt(2 / pi) g / |g|', () =>
    near(
      direction(`averaged(${q}, of: sign_spsa())`),
      GRADIENT.map((g) => (Math.sqrt(2 / Math.PI) * g) / size),
      4 / Math.sqrt(q),
    ));
});

describe('closed forms', () => {
  test('one estimate is a multiple of its z, as long as the derivative along it says', () => {
    // two-sided differences of a quadratic are exact: d = (g z) z, so that d g = (g z)^2 and |d|^2 = (g z)^2 |z|^2 >= (d g)
    for (const seed of [0, 1, 2]) {
      const d = direction('spsa(0.1)', { seed });
      const gz = Math.sqrt(d.reduce((s, v, i) => s + v * GRADIENT[i], 0));
      const z = d.map((v) => v / gz);
      expect(z.reduce((s, v, i) => s + v * GRADIENT[i], 0)).toBeCloseTo(gz, 8);
    }
  });
  test('differences along as many orthonormal directions as there are coordinates are the gradient', () =>
    near(direction('orthogonal_differences(3, 1e-6)'), GRADIENT, 1e-4));
  test('along fewer, its projection', () => {
    const d = direction('orthogonal_differences(2, 1e-7)');
    const along = d.reduce((s, v, i) => s + v * GRADIENT[i], 0);
    expect(along).toBeCloseTo(Math.hypot(...d) ** 2, 4);
  });
  test('sharpness-aware: the gradient at the point rho away', () => {
    const there = START.map((v, i) => v + (0.1 * GRADIENT[i]) / size);
    near(
      direction('sharpness_aware(0.1)'),
      there.map((v, i) => 2 * (i + 1) * v),
      1e-9,
    );
  });
  test('blocks come in turn', () => {
    const one = (steps: number): number[] => direction('block(3, 1e-3)', { steps });
    expect(one(1).map((v) => v === 0)).toEqual([false, true, true]);
    expect(one(2).map((v) => v === 0)).toEqual([false, false, true]);
    expect(one(3).map((v) => v === 0)).toEqual([false, false, false]);
  });
  test('a random mask stays for hold updates', () => {
    for (const seed of [0, 1, 2, 3]) {
      const masks = [1, 40].map((steps) => direction('sparse(0.5, hold: 100)', { steps, seed }).map((v) => v === 0));
      expect(masks[0]).toEqual(masks[1]);
    }
    expect(direction('sparse(0.5, hold: 1)', { steps: 40 }).every((v) => v !== 0)).toBe(true);
  });
  test('the evolution strategy sees ranks alone, and descends', () => {
    const d = direction('es(200, sigma: 0.01)');
    near(direction('es(200, sigma: 0.01)', { objective: 'exp(0.1 * sum(c * x^2)) - 3' }), d, 1e-9);
    const along = d.reduce((s, v, i) => s + v * GRADIENT[i], 0) / (size * Math.hypot(...d));
    expect(along).toBeGreaterThan(0.9);
  });
});

describe('sharpness_aware', () => {
  test('of an objective whose gradient is the same everywhere is its gradient', () => {
    const m = runSpec(
      `use rules { sgd }\nuse estimators { sharpness_aware }\nvar q: f32[2] = 1\ntrain 5 { update q by sgd(0.05) minimizing 2 * q[0] + q[1] with sharpness_aware() }`,
    );
    near(m.values('q'), [0.5, 0.75], 1e-12);
  });
});

describe('private', () => {
  const rows = [
    [3, 4, 0],
    [0.3, 0.4, 0],
    [-6, 8, 1],
    [0, 0, 0.5],
  ];
  const text = (noise: number, steps: number, n = 3) => `use estimators { private }
    rule descend() for (p, g) { p <- p - g }
    let rows = [${rows.map((r) => `[${r.map((v) => v.toFixed(2)).join(', ')}]`).join(', ')}]
    var w: f32[${n}] = 0
    train ${steps} { update w by descend() minimizing mean over rows as r { dot(r, w[0..3]) } with private(clip: 2, noise: ${noise}, rate: 0.01, delta: 1e-5) }`;
  const clipped = rows.map((g) => g.map((v) => v * Math.min(1, 2 / Math.hypot(...g))));
  const mean = [0, 1, 2].map((i) => clipped.reduce((s, g) => s + g[i], 0) / 4);

  test('clips each gradient', () =>
    near(
      runSpec(text(1e-9, 1)).values('w'),
      mean.map((v) => -v),
      1e-8,
    ));
  test('adds noise of the standard deviation noise * clip / batch to every coordinate', () => {
    const n = 4000;
    const w = runSpec(text(1.5, 1, n + 3))
      .values('w')
      .slice(3);
    const sd = (1.5 * 2) / 4;
    const average = w.reduce((a, b) => a + b) / n;
    const variance = w.reduce((s, v) => s + v * v, 0) / n;
    expect(Math.abs(average)).toBeLessThan((4 * sd) / Math.sqrt(n));
    expect(Math.abs(variance / sd ** 2 - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
  });
  test('each of several objectives reports what it has cost under its own number', () => {
    const m = runSpec(`use estimators { private, privacy_spent }
      use rules { sgd }
      use aggregators { weighted }
      let rows = [[3.0, 4.0], [0.3, 0.4]]
      var w: f32[2] = 0
      train 5 {
        update w by sgd(0.1) minimizing { mean over rows as r { dot(r, w) }, mean over rows as r { sum((w - r)^2) } } with private(noise: 2, rate: 0.01) |> weighted([1.0, 2.0])
      }
      metric one = privacy_spent(0.01, 2, 5, 1e-5)`);
    expect(m.last('epsilon_1')).toBeCloseTo(m.last('one'), 12);
    expect(m.last('epsilon_2')).toBeCloseTo(m.last('one'), 12);
    expect(() => m.all('epsilon')).toThrow('no series');
  });
  test('what it has cost adds up where the noise changes', () => {
    const m = runSpec(text(1, 2).replace('noise: 1,', 'noise: 1 + f32(step),'));
    const [wanted] = evaluateAll(
      ['rdp_to_epsilon(gaussian_rdp(0.01, 1) + gaussian_rdp(0.01, 2), 1e-5)'],
      'use estimators { rdp_to_epsilon, gaussian_rdp }',
    );
    expect(m.last('epsilon')).toBeCloseTo(wanted, 12);
  });
  test('reports what it has cost', () => {
    const spent = runSpec(text(1.1, 3)).all('epsilon');
    const wanted = evaluateAll(
      [1, 2, 3].map((k) => `privacy_spent(0.01, 1.1, ${k}, 1e-5)`),
      'use estimators { privacy_spent }',
    );
    near(spent, wanted, 1e-12);
  });
});

describe('the accountant', () => {
  test('Rényi divergences are the binomial sum', () => {
    const found = evaluateAll(
      oracle.rdp.map((c) => `sampled_gaussian_rdp(${c.rate}, ${c.noise}, ${c.order})`),
      'use estimators { sampled_gaussian_rdp }',
    );
    // rate 1 is computed with a rate of 1 - 1e-6
    oracle.rdp.forEach((c, i) => expect(Math.abs(found[i] / c.value - 1)).toBeLessThan(c.rate === 1 ? 1e-4 : 1e-9));
  });
  test('epsilon', () => {
    const found = evaluateAll(
      oracle.epsilon.map((c) => `privacy_spent(${c.rate}, ${c.noise}, ${c.steps}, ${c.delta})`),
      'use estimators { privacy_spent }',
    );
    oracle.epsilon.forEach((c, i) => expect(Math.abs(found[i] / c.value - 1)).toBeLessThan(1e-4));
  });
  test('the table of the tutorials of TensorFlow Privacy, by the older conversion: MNIST, batches of 256 of 60000, delta 1e-5', () => {
    const published = [
      { noise: 1.12, epochs: 60, epsilon: 2.92 },
      { noise: 0.6, epochs: 30, epsilon: 9.74 },
      { noise: 1.2, epochs: 10, epsilon: 1.2 },
    ];
    const found = evaluateAll(
      published.map(
        ({ noise, epochs }) =>
          `min(map 2..65 as a { ${(epochs * 60000) / 256} * sampled_gaussian_rdp(256 / 60000, ${noise}, a) - log(1e-5) / (f32(a) - 1) })`,
      ),
      'use estimators { sampled_gaussian_rdp }',
    );
    // whole orders alone: the table has tenths too, between which the bound may be a little lower
    published.forEach((p, i) => {
      expect(found[i]).toBeGreaterThan(p.epsilon - 0.006);
      expect(found[i]).toBeLessThan(p.epsilon * 1.01);
    });
  });
});

describe('objectives whose gradient is an estimate', () => {
  test('the score function: the mean of its gradient is that of the expected cost', () => {
    const logits = [0.2, -0.4, 0.1];
    const price = [1, 3, 2];
    const e = logits.map(Math.exp);
    const p = e.map((v) => v / e.reduce((a, b) => a + b));
    const cost = p.reduce((s, v, i) => s + v * price[i], 0);
    const wanted = p.map((v, i) => v * (price[i] - cost));
    for (const baseline of ['0', '2', 'loo']) {
      const objective = (n: number): string =>
        baseline === 'loo'
          ? `{ let both = map 0..${n} as i { sample a ~ categorical(logits: z) i32; (price[a], logp(a)) }; let (costs, lp) = both; mean(score(costs, lp, leave_one_out(costs))) }`
          : `mean over 0..${n} as i { sample a ~ categorical(logits: z) i32; score(price[a], logp(a), ${baseline}) }`;
      const text = `use estimators { score, leave_one_out }
        let price = [1.0, 3.0, 2.0]
        var z = [0.2, -0.4, 0.1]
        fn risk() ${objective(4000).startsWith('{') ? objective(4000) : `{ ${objective(4000)} }`}
        let g = grad(risk(), z)
        metric a = g[0]\nmetric b = g[1]\nmetric c = g[2]\nmetric v = risk()`;
      const m = runSpec(text);
      near([m.last('a'), m.last('b'), m.last('c')], wanted, (4 * 3) / Math.sqrt(4000) / 2);
      expect(Math.abs(m.last('v') - cost)).toBeLessThan(0.06);
    }
  });
  test('straight-through values and gradients', () => {
    const [r, dr, s, ds, dout] = evaluateAll(
      [
        'hard_round(x)',
        'grad(hard_round(x)^2, x)',
        'hard_sign(x)',
        'grad(hard_sign(x) * 3, x)',
        'grad(hard_sign(y) * 3, y)',
      ],
      'use estimators { hard_round, hard_sign }\nvar x = 0.7\nvar y = 1.7',
    );
    expect([r, dr, s, ds, dout]).toEqual([1, 2, 1, 3, 0]);
  });
  test('a hard choice is one-hot, with the gradient of the soft one', () => {
    const m = runSpec(`use estimators { hard_choice }
      var z = [0.2, -0.4, 0.1]
      let y = hard_choice(z)
      metric total = sum(y)\nmetric top = max(y)\nmetric g = norm(grad(dot(y, [1.0, 2.0, 3.0]), z))`);
    expect([m.last('total'), m.last('top')]).toEqual([1, 1]);
    expect(m.last('g')).toBeGreaterThan(0.01);
  });
});
