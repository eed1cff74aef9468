/** Losses and schedules of the library against Optax 0.2.8 and SciPy in float64: the numbers below were made by those on the values in `inputs`. */
import { describe, expect, test } from 'vitest';
import { runSpec } from './run-spec.ts';

const inputs = `let z = [[1.0, -2.0, 0.5], [0.3, 0.2, -1.5]]
let y = [2, 0]
let a = [[1.0, 2.0, -1.0], [0.5, -0.3, 2.0]]
let b = [[0.9, 1.5, -0.2], [-0.5, 0.3, 1.0]]
let p = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]
let q = [[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]]
`;
const losses: readonly (readonly [string, readonly number[]])[] = [
  ['smooth_cross_entropy(z, y)', [1.07126356900895, 0.7909477868762953]],
  ['focal(z, y)', [0.40355893894537775, 0.1944382171175211]],
  ['multi_hinge(z, y)', [1.5, 0.8999999999999999]],
  [
    'log_cosh(a, b)',
    [
      0.004991688821646656, 0.12011450695827745, 0.2907535603283936, 0.4337808304830273, 0.1701352867780858,
      0.4337808304830273,
    ],
  ],
  ['huber(a, b)', [0.0049999999999999975, 0.125, 0.32000000000000006, 0.5, 0.18, 0.5]],
  ['pinball(a, b, 0.3)', [0.06999999999999998, 0.35, 0.24, 0.7, 0.18, 0.7]],
  [
    'poisson(a, b)',
    [
      1.8182818284590456, 4.38905609893065, 0.16787944117144227, 1.8987212707001282, 0.8308182206817178,
      5.38905609893065,
    ],
  ],
  [
    'gaussian_nll(a, b, a + 0.5)',
    [
      1.4197597406722475, 1.6968298032232263, 0.9716138779746939, 0.8750286920421886, 1.1615408107898872,
      1.464923463351103,
    ],
  ],
  ['gaussian_kl(a, b)', [4.2800114672864975, 2.607335647873841]],
  ['jensen_shannon(p, q)', [0.053780737421496375, 0.2306454879041134]],
  ['reverse_kl(p, q)', [0.2090735548298595, 1.1018681357942808]],
  ['pearson(p, q)', [0.575, 3.064285714285714]],
  ['hellinger(p, q)', [0.10903871998953525, 0.4910538406738106]],
  ['total_variation(p, q)', [0.30000000000000004, 0.6]],
  ['cosine_distance(a, b)', [0.04933526369165486, 0.3116476108678722]],
  ['squared_hinge(a, sign(b))', [0.0, 0.0, 0.0, 2.25, 1.6900000000000002, 0.0]],
  ['info_nce(a, b)', [3.110571178410737e-6, 0.00034422411097700945]],
  ['clip_loss(a, b)', [1.3991306246907698e-7, 5.93329650211416e-6]],
  ['triplet(a, b, -b, 40)', [23.6, 33.36]],
];

describe('losses', () => {
  test.each(losses)('%s', (call, wanted) => {
    const name = call.slice(0, call.indexOf('('));
    const m = runSpec(
      `use losses { ${name} }\n${inputs}var r: f32[${wanted.length}] = reshape(${call}, ${wanted.length})`,
    );
    const found = m.values('r');
    wanted.forEach((w, i) => expect(found[i]).toBeCloseTo(w, 10));
  });
});

/** Optax's schedules of 10 steps at steps 0 to 9, with p = s / 10. */
const schedules: readonly (readonly [string, readonly number[]])[] = [
  [
    'cosine(p, 0.1)',
    [
      1.0, 0.9779754323328191, 0.9140576474687263, 0.8145033635316129, 0.6890576474687263, 0.55, 0.41094235253127376,
      0.2854966364683872, 0.18594235253127372, 0.12202456766718092,
    ],
  ],
  [
    'linear_decay(p, 0.2)',
    [
      1.0, 0.9200000000000002, 0.8400000000000001, 0.76, 0.6799999999999999, 0.6000000000000001, 0.52,
      0.44000000000000006, 0.36, 0.28,
    ],
  ],
  [
    'polynomial(p, 3, 0.1)',
    [
      1.0, 0.7561000000000001, 0.5608000000000001, 0.40869999999999995, 0.2944, 0.21250000000000002,
      0.15760000000000002, 0.12430000000000002, 0.1072, 0.1009,
    ],
  ],
  ['step_decay(s, 3, 0.5)', [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]],
  [
    'step_decay(s, 3, 0.5, 0)',
    [
      1.0, 0.7937005259840998, 0.6299605249474366, 0.5, 0.3968502629920499, 0.3149802624737183, 0.25,
      0.19842513149602492, 0.15749013123685915, 0.125,
    ],
  ],
  [
    'one_cycle(p, 0.3, 25, 1e4)',
    [
      0.040000000000000036, 0.28, 0.7599999999999999, 1.0, 0.9504846320134737, 0.8117456539497631, 0.6112620219362893,
      0.38874197806371075, 0.18825834605023697, 0.049519367986526286,
    ],
  ],
];

describe('schedules', () => {
  const series = (call: string, steps = 10) =>
    runSpec(
      `use schedules { ${call.slice(0, call.indexOf('('))} }\nfn f(p, s) = ${call}\ntrain ${steps} { report r = f(progress, step) }`,
    ).all('r');
  test.each(schedules)('%s', (call, wanted) => {
    series(call).forEach((v, i) => expect(v).toBeCloseTo(wanted[i], 10));
  });
  test('warm-ups, restarts, triangles, roots', () => {
    expect(series('warmup(s, 4)', 6)).toEqual([0.25, 0.5, 0.75, 1, 1, 1]);
    expect(series('noam(s, 4)', 16)[15]).toBeCloseTo(0.5, 12);
    expect(Math.max(...series('noam(s, 4)', 16))).toBeCloseTo(1, 12);
    const twice = series('restarts(p, 2)');
    expect(twice.slice(5)).toEqual(twice.slice(0, 5).map((v) => expect.closeTo(v, 12)));
    expect(series('triangle(s, 2, 0.2)', 5)).toEqual([0.2, 0.6, 1, 0.6, 0.2].map((v) => expect.closeTo(v, 12)));
    expect(series('inverse_sqrt(s, 1)', 4)[3]).toBeCloseTo(0.5, 12);
    expect(series('exponential(p, 0.25)')[5]).toBeCloseTo(0.5, 12);
  });
});
