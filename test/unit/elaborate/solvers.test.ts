/**
 * The solvers of the library against SciPy (test/oracles/solvers.py), closed forms and finite differences: optima and multipliers to 1e-3 relative, hypergradients at
 * the rates theory gives.
 */
import { describe, expect, test } from 'vitest';
import { oracle } from './oracle.ts';
import { compileSpec, errorsOf, Machine, runSpec } from './run-spec.ts';

const values = oracle('solvers');

function near(got: readonly number[], wanted: readonly number[], what: string, relative = 1e-3): void {
  expect(got.length, what).toBe(wanted.length);
  wanted.forEach((w, i) =>
    expect(Math.abs(got[i] - w), `${what}[${i}]: ${got[i]} for ${w}`).toBeLessThan(relative * Math.max(1, Math.abs(w))),
  );
}

// ---------------------------------------------------------------- smooth

const rosenbrock = `problem p { over x: f32[2] = [-1.2, 1]
  minimize 100 * (x[1] - x[0]^2)^2 + (1 - x[0])^2 }`;
const beale = `problem p { over a: f32 = 1
  over b: f32 = 0.8
  minimize (1.5 - a + a * b)^2 + (2.25 - a + a * b^2)^2 + (2.625 - a + a * b^3)^2 }`;
const wood = `problem p { over x: f32[4] = [-3, -1, -3, -1]
  minimize 100 * (x[1] - x[0]^2)^2 + (1 - x[0])^2 + 90 * (x[3] - x[2]^2)^2 + (1 - x[2])^2 + 10.1 * ((x[1] - 1)^2 + (x[3] - 1)^2) + 19.8 * (x[1] - 1) * (x[3] - 1) }`;

describe('smooth', () => {
  test.each(['quasi_newton', 'conjugate_gradient', 'newton_cg', 'newton'])('%s', (name) => {
    const solve = (problem: string) =>
      runSpec(`use solvers { ${name} }\n${problem}\nsolve p by ${name}(tol: 1e-7) for 1000`);
    for (const [problem, cells, wanted] of [
      [rosenbrock, ['p.x'], [1, 1]],
      [beale, ['p.a', 'p.b'], [3, 0.5]],
      [wood, ['p.x'], [1, 1, 1, 1]],
    ] as const) {
      const m = solve(problem);
      near(
        cells.flatMap((c) => m.values(c)),
        wanted,
        name,
      );
      expect(m.ends.get('p')?.step, `${name} stops`).toBeLessThan(500);
    }
  });
  test.each(['levenberg_marquardt', 'gauss_newton'])('%s', (name) => {
    const m = runSpec(`use solvers { ${name} }
let t = f32(0..10) / 3
let y = 2.5 * exp(-0.7 * t) + 0.3 + 0.05 * cos(5 * t)
problem fit {
  over p: f32[3] = [1, 1, 0]
  let r = p[0] * exp(-p[1] * t) + p[2] - y
  minimize sum(r^2) / 2
}
solve fit by ${name}(fit.r) for 100`);
    near(m.values('fit.p'), values['fit.x'], name);
    expect(m.ends.get('fit')?.step).toBeLessThan(50);
  });
});

// ---------------------------------------------------------------- constraints

const hs7 = `problem p { over x: f32[2] = [2, 2]
  minimize log(1 + x[0]^2) - x[1]
  subject to c: (1 + x[0]^2)^2 + x[1]^2 == 4 }`;
const hs77 = `problem p { over x: f32[5] = 2
  minimize (x[0] - 1)^2 + (x[0] - x[1])^2 + (x[2] - 1)^2 + (x[3] - 1)^4 + (x[4] - 1)^6
  subject to a: x[0]^2 * x[3] + sin(x[3] - x[4]) == 2 * sqrt(2.0)
  subject to b: x[1] + x[2]^4 * x[3]^2 == 8 + sqrt(2.0) }`;
const hs35 = `problem p { over x: f32[3] = 0.5
  minimize 9 - 8 * x[0] - 6 * x[1] - 4 * x[2] + 2 * x[0]^2 + 2 * x[1]^2 + x[2]^2 + 2 * x[0] * x[1] + 2 * x[0] * x[2]
  subject to total: x[0] + x[1] + 2 * x[2] <= 3
  subject to least: x >= 0 }`;
const hs43 = `problem p { over x: f32[4] = 0
  minimize x[0]^2 + x[1]^2 + 2 * x[2]^2 + x[3]^2 - 5 * x[0] - 5 * x[1] - 21 * x[2] + 7 * x[3]
  subject to a: 8 >= sum(x^2) + x[0] - x[1] + x[2] - x[3]
  subject to b: x[0]^2 + 2 * x[1]^2 + x[2]^2 + 2 * x[3]^2 - x[0] - x[3] <= 10
  subject to c: 2 * x[0]^2 + x[1]^2 + x[2]^2 + 2 * x[0] - x[1] - x[3] <= 5 }`;
const hs71 = `problem p { over x: f32[4] = [1, 5, 5, 1]
  minimize x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]
  subject to square: sum(x^2) == 40
  subject to product: prod(x) >= 25
  subject to least: x >= 1
  subject to most: x <= 5 }`;

/** Multipliers in the order of the script's. */
const read = (m: Machine, names: readonly string[]): number[] => names.flatMap((n) => m.values(`p.multipliers.${n}`));

const solved = (name: string, problem: string, steps = 200): Machine =>
  runSpec(
    `use solvers { ${name.split('(')[0]} }\n${problem}\nsolve p by ${name.includes('(') ? name : `${name}()`} for ${steps}`,
  );

describe('constraints', () => {
  test.each([
    ['hs7', hs7, ['c'], []],
    ['hs77', hs77, ['a', 'b'], []],
    ['hs35', hs35, [], ['total', 'least']],
    ['hs43', hs43, [], ['a', 'b', 'c']],
    ['hs71', hs71, ['square'], ['product', 'least', 'most']],
  ] as const)('augmented_lagrangian: %s', (name, problem, equalities, inequalities) => {
    const m = solved('augmented_lagrangian(tol: 1e-5)', problem, 60);
    near(m.values('p.x'), values[`${name}.x`], 'x');
    near(read(m, equalities), values[`${name}.lam`], 'lam');
    near(read(m, inequalities), values[`${name}.mu`], 'mu');
    expect(m.ends.get('p')?.step).toBeLessThan(60);
  });
  test('quadratic_penalty: the error falls like the weight rises', () => {
    const error = (most: number) => {
      const m = solved(`quadratic_penalty(most: ${most}, tol: 1e-9)`, hs43, 6);
      return Math.max(...m.values('p.x').map((v, i) => Math.abs(v - values['hs43.x'][i])));
    };
    const [a, b] = [error(100), error(1000)];
    expect(b).toBeLessThan(1e-3);
    expect(Math.log10(a / b)).toBeCloseTo(1, 1);
  });
  test('dual_ascent', () => {
    const m = solved('dual_ascent(ki: 0.05, kp: 0.2)', hs35, 3000);
    near(m.values('p.x'), values['hs35.x'], 'x', 2e-3);
    near(read(m, ['total', 'least']), values['hs35.mu'], 'mu', 2e-3);
  });
  test('dual_ascent: the proportional term damps', () => {
    // min x^2 / 2 - x on x <= 0: mu -> 1; the gradient flow with the integral term alone swings.
    const overshoot = (kp: number) => {
      const m = runSpec(`use solvers { dual_ascent }
use rules { sgd }
problem p { over x: f32 = 2
  minimize 0.05 * x^2 - x
  subject to c: x <= 0 }
solve p by dual_ascent(sgd(0.1), ki: 0.1, kp: ${kp}) for 400
metric mu = p.multipliers.c`);
      return Math.max(...m.all('p.violation').slice(100));
    };
    expect(overshoot(1)).toBeLessThan(0.1 * overshoot(0));
  });
  test.each([
    ['hs35', hs35, ['total', 'least']],
    ['hs43', hs43, ['a', 'b', 'c']],
  ] as const)('barrier: %s', (name, problem, inequalities) => {
    const m = solved('barrier', problem, 30);
    near(m.values('p.x'), values[`${name}.x`], 'x');
    near(read(m, inequalities), values[`${name}.mu`], 'mu');
  });
  test('barrier: a start outside is named', () => {
    const m = solved('barrier', hs35.replace('= 0.5', '= 5'), 30);
    expect(m.ends.get('p')?.reason).toBe('a point outside of the inequalities');
  });
  test.each(['kaczmarz', 'block_kaczmarz', 'gaussian'])('sketched_newton by %s', (sketch) => {
    const m = runSpec(
      `use solvers { sketched_newton, ${sketch} }\n${hs7}\nsolve p by sketched_newton(${sketch}, floor: 1e-2) for 60`,
    );
    near(m.values('p.x'), values['hs7.x'], 'x');
    near(read(m, ['c']), values['hs7.lam'], 'lam');
  });
  test('sketched_newton: hs77, and a singular Jacobian is named', () => {
    const m = solved('sketched_newton', hs77, 60);
    near(m.values('p.x'), values['hs77.x'], 'x');
    near(read(m, ['a', 'b']), values['hs77.lam'], 'lam');
    const singular = solved('sketched_newton', `problem p { over x: f32[3] = 0
  minimize 4 * x[0]^2 + 2 * x[1]^2 + 2 * x[2]^2 - 33 * x[0] + 16 * x[1] - 24 * x[2]
  subject to a: 3 * x[0] - 2 * x[1]^2 == 7
  subject to b: 4 * x[0] - x[2]^2 == 11 }`); // prettier-ignore
    expect(singular.ends.get('p')?.reason).toBe('singular Jacobian');
  });
  const sketched = (problem: string, options: string, steps = 60) =>
    runSpec(
      `use solvers { sketched_newton }\nproblem p { ${problem} }\nsolve p by sketched_newton(${options}) for ${steps}`,
    );
  test('sketched_newton: a start where the Lagrangian has no slope raises the penalty once', () => {
    const m = sketched('over x: f32[2] = 0\n  minimize sum(x^2)\n  subject to a: x[0] + x[1] == 2', '');
    near(m.values('p.x'), [1, 1], 'x');
    // a slope that is not a number would raise it above 1e8, where rounding hides what a step gains
    // by hand: the first step has slope 4 - 4 eta1, and 2.25 is the first penalty by which it descends
    expect(m.values('solveExpr_0.sketched_newton#eta1')).toEqual([2.25]);
  });
  test('sketched_newton: first multipliers, and the curvature below which the Hessian is shifted', () => {
    const flat = 'over x: f32[2] = [0, 1]\n  minimize 0.0025 * x[1]^2\n  subject to a: x[0] == 0';
    near(sketched(flat, 'multiplier: 3', 1).all('p.kkt'), [Math.hypot(3, 0.005)], 'kkt');
    near(sketched(flat, '', 1).values('p.x'), [0, 0], 'x');
    // a shift by 0.1 and the norm of the Hessian
    near(sketched(flat, 'curvature: 1e-2, floor: 1e-7', 1).values('p.x'), [0, 1 - 0.005 / 0.11], 'x');
  });
});

const quadratic = `let P = [[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]]
let q = [-2.5, 1.0, -2.2]
problem p { over x: f32[3] in SET = 0.3333333
  minimize dot(x, P @ x) / 2 + dot(q, x)
  MORE }`;
const on = (set: string, more = '') => quadratic.replace('SET', set).replace('MORE', more);

describe('sets', () => {
  test.each([
    ['box', 'box(0, 1)'],
    ['simplex', 'simplex()'],
  ])('projected_gradient and frank_wolfe on the %s', (name, set) => {
    near(solved('projected_gradient', on(set), 500).values('p.x'), values[`${name}.x`], 'projected');
    near(solved('frank_wolfe', on(set), 4000).values('p.x'), values[`${name}.x`], 'lowest', 3e-3);
  });
  test('admm: a quadratic with an equality in a box', () => {
    const m = solved('admm', on('box(0, 1)', 'subject to c: x[0] + 2 * x[1] - x[2] == 0.25'), 60);
    near(m.values('p.x'), values['affine.x'], 'x');
    near(read(m, ['c']), values['affine.lam'], 'lam');
  });
  test('admm refuses what is not affine', () => {
    const text = `use solvers { admm }\n${on('box(0, 1)', 'subject to c: x[0]^2 == 0.25')}\nsolve p by admm() for 9`;
    expect(errorsOf(text)[0].message).toContain('not affine');
  });
  test('proximal_gradient: lasso', () => {
    const m = runSpec(`use solvers { proximal_gradient, soft }
let A = [[1.0, 0.5, -0.3], [0.2, 1.0, 0.4], [-0.5, 0.3, 1.0], [0.7, -0.6, 0.1]]
let b = [1.0, -0.5, 0.2, 0.8]
problem p { over x: f32[3] = 0
  minimize smooth: sum((A @ x - b)^2) / 2
  minimize size: 0.3 * sum(abs(x)) }
solve p by proximal_gradient(soft(weight: 0.3), lr: 0.3) for 500`);
    near(m.values('p.x'), values['lasso.x'], 'x');
  });
});

// ---------------------------------------------------------------- two levels

/** y(x) is the minimizer of a strongly convex quadratic in y whose linear term depends on x; the upper objective is quadratic too. */
const quadratics = `let H = [[2.0, 0.5], [0.5, 1.0]]
let B = [[1.0, -0.5, 0.3], [0.2, 1.0, -0.4]]
problem p {
  over x: f32[3] = [0.5, -0.3, 0.8]
  minimize F: sum((y - [1.0, -1.0])^2) / 2 + 0.1 * sum(x^2) + 0.2 * x[0] * y[1]
  where y solves {
    over y: f32[2] = 0
    minimize G: dot(y, H @ y) / 2 - dot(y, B @ x) + 0.3 * x[2]^2
  }
}
`;
/** Gradient of F(x, y(x)) at the start, and its minimizer, by elimination. */
const exact = (() => {
  const text = `use linalg { solve_linear }
${quadratics}fn total(x: f32[3]) = p.F at { p.x: x, p.y: solve_linear(H, B @ x) }
var x: f32[3] = [0.5, -0.3, 0.8]
var best: f32[3] = 0
var slope: f32[3] = 0
slope <- grad(total(x), x)
best <- x - solve_linear(hessian(total(x), x), grad(total(x), x))`;
  const m = runSpec(text);
  return { slope: m.values('slope'), best: m.values('best') };
})();

/** The hypergradient that a solver's first step of gradient descent with rate 1 takes. */
function hypergradient(call: string, use: string): number[] {
  const m = runSpec(`use solvers { ${use} }\nuse rules { sgd }\n${quadratics}solve p by ${call} for 1`);
  return m.values('p.x').map((v, i) => [0.5, -0.3, 0.8][i] - v);
}
const distance = (a: readonly number[], b: readonly number[]) => Math.hypot(...a.map((v, i) => v - b[i]));

describe('two levels', () => {
  test('implicit: the hypergradient is that of elimination', () => {
    const g = hypergradient('implicit(inner: 200, lower: sgd(0.4), upper: sgd(1))', 'implicit');
    expect(distance(g, exact.slope)).toBeLessThan(1e-6);
  });
  test('neumann: the error falls by the contraction with each term', () => {
    const error = (terms: number) =>
      distance(
        hypergradient(`neumann(inner: 200, terms: ${terms}, eta: 0.4, lower: sgd(0.4), upper: sgd(1))`, 'neumann'),
        exact.slope,
      );
    // eigenvalues of H: (3 +- sqrt(2)) / 2; the slowest factor is 1 - 0.4 * 0.793
    const factor = 1 - 0.4 * ((3 - Math.SQRT2) / 2);
    expect(error(20) / error(10)).toBeCloseTo(factor ** 10, 2);
  });
  test('unrolled: the error falls by the contraction of the lower level, and truncation costs what is left out', () => {
    const error = (call: string) => distance(hypergradient(call, 'unrolled'), exact.slope);
    const factor = 1 - 0.4 * ((3 - Math.SQRT2) / 2);
    const [a, b] = [10, 20].map((n) => error(`unrolled(inner: ${n}, lr: 0.4, upper: sgd(1))`));
    expect(b).toBeLessThan(3 * factor ** 10 * a);
    expect(error('unrolled(inner: 200, lr: 0.4, upper: sgd(1))')).toBeLessThan(1e-6);
    const cut = error('unrolled(inner: 200, through: 5, lr: 0.4, upper: sgd(1))');
    expect(cut).toBeGreaterThan(1e-3);
    expect(error('unrolled(inner: 200, through: 15, lr: 0.4, upper: sgd(1))')).toBeLessThan(3 * factor ** 10 * cut);
  });
  test('penalty: the error is of order sigma', () => {
    const error = (sigma: number) =>
      distance(
        hypergradient(`penalty(sigma: ${sigma}, inner: 400, lower: sgd(0.3), upper: sgd(1))`, 'penalty'),
        exact.slope,
      );
    expect(Math.log10(error(0.1) / error(0.01))).toBeCloseTo(1, 1);
    expect(Math.log10(error(0.01) / error(0.001))).toBeCloseTo(1, 1);
  });
  test('a lower level that is not quadratic: all agree with central differences of a lower level solved to the end', () => {
    const [rows, labels] = [[[1, 0.5], [-0.3, 1.2], [0.8, -1], [-1.1, -0.4], [0.2, 0.9]], [1, 0, 1, 0, 1]]; // prettier-ignore
    const start = [0.2, -0.5];
    const text = `let A = ${JSON.stringify(rows)}
let b = f32(${JSON.stringify(labels)})
problem p {
  over x: f32[2] = ${JSON.stringify(start)}
  minimize F: sum((y - [0.3, 0.8])^2) / 2
  where y solves {
    over y: f32[2] = 0
    minimize G: mean(softplus(A @ y) - b * (A @ y)) + sum(exp(x) * y^2) / 2
  }
}
`;
    // The same in numbers: gradient descent on G until it stands, and F there.
    const total = (x: readonly number[]): number => {
      let y = [0, 0];
      for (let t = 0; t < 400; t++) {
        const pull = rows.map((a, i) => 1 / (1 + Math.exp(-(a[0] * y[0] + a[1] * y[1]))) - labels[i]);
        y = y.map((v, j) => v - 0.4 * (rows.reduce((sum, a, i) => sum + pull[i] * a[j], 0) / 5 + Math.exp(x[j]) * v));
      }
      return ((y[0] - 0.3) ** 2 + (y[1] - 0.8) ** 2) / 2;
    };
    const differences = start.map((_, j) => {
      const at = (h: number) => total(start.map((v, i) => v + (i === j ? h : 0)));
      return (at(1e-5) - at(-1e-5)) / 2e-5;
    });
    const error = (call: string): number => {
      const m = runSpec(`use solvers { ${call.split('(')[0]} }\nuse rules { sgd }\n${text}solve p by ${call} for 1`);
      return distance(m.values('p.x').map((v, i) => start[i] - v), differences); // prettier-ignore
    };
    for (const call of [
      'implicit(inner: 200, lower: sgd(0.4), upper: sgd(1))',
      'neumann(inner: 200, terms: 200, eta: 0.4, lower: sgd(0.4), upper: sgd(1))',
      'unrolled(inner: 200, lr: 0.4, upper: sgd(1))',
    ])
      expect(error(call), call).toBeLessThan(1e-7);
    const [first, second] = [0.01, 0.001].map((sigma) =>
      error(`penalty(sigma: ${sigma}, inner: 300, lower: sgd(0.4), upper: sgd(1))`),
    );
    expect(Math.log10(first / second)).toBeCloseTo(1, 1);
  });
  test.each([
    ['implicit(lower: sgd(0.4), upper: sgd(0.3))', 300, 1e-4],
    ['neumann(eta: 0.4, terms: 30, lower: sgd(0.4), upper: sgd(0.3))', 300, 1e-3],
    ['unrolled(inner: 30, lr: 0.4, upper: sgd(0.3))', 300, 1e-3],
    ['penalty(sigma: 0.001, inner: 20, lower: sgd(0.3), upper: sgd(0.2))', 400, 2e-3],
    ['penalty_loop(lambda: 1, grow: 0.05, most: 200, upper: sgd(0.01), lower: sgd(0.3))', 6000, 2e-2],
    ['value_function(inner: 20, eta: 2, lower: sgd(0.4), by: sgd(0.05))', 4000, 2e-2],
    ['bo_rep(eta: 0.01, nu: 0.3, inner: 10, lower: sgd(0.4))', 1500, 3e-2],
  ] as const)('%s reaches the optimum', (call, steps, tolerance) => {
    const name = call.split('(')[0];
    const m = runSpec(`use solvers { ${name} }\nuse rules { sgd }\n${quadratics}solve p by ${call} for ${steps}`);
    expect(distance(m.values('p.x'), exact.best), m.values('p.x').join()).toBeLessThan(tolerance);
  });
  test('lv_hba: the toy problem whose answer is known', () => {
    const m = runSpec(`use solvers { lv_hba }
dim n = 20
problem p {
  over x: f32[n] = 0
  minimize F: sum((x - y2)^2) / 2 + sum((y1 - 1)^2) / 2
  where y1, y2 solves {
    over y1: f32[n] = 0
    over y2: f32[n] = 0
    minimize f: sum(y1^2) / 2 - dot(x, y1) + sum(y2)
    subject to g: (sum(x) + sum(y1) + sum(y2)) / sqrt(3 * n) == 0
  }
}
solve p by lv_hba() for 2000
metric lam = p.multipliers.g`);
    near(m.values('p.x'), Array<number>(20).fill(-0.3), 'x', 0.01);
    expect(m.last('lam')).toBeCloseTo(-Math.sqrt(60), 1);
  });
});

// ---------------------------------------------------------------- players

const bilinear = `problem p {
  over x: f32 = 1
  over y: f32 = 1
  player a moves x minimizes x * y
  player b moves y maximizes x * y
}`;
const cournot = `problem p {
  over a: f32 = 1
  over b: f32 = 2
  over c: f32 = 3
  player first moves a maximizes a * (10 - a - b - c) - a
  player second moves b maximizes b * (10 - a - b - c) - 2 * b
  player third moves c maximizes c * (10 - a - b - c) - 3 * c
}`;
// a_i = 10 - cost_i - total, total = (30 - 6) / 4 = 6
const equilibrium = [3, 2, 1];

describe('players', () => {
  test('simultaneous steps run away from the equilibrium of a bilinear game, by the factor of the map', () => {
    const m = solved('simultaneous(lr: 0.1)', bilinear, 100);
    expect(Math.hypot(m.value('p.x'), m.value('p.y'))).toBeCloseTo(Math.SQRT2 * (1 + 0.01) ** 50, 6);
  });
  test('alternating steps stay at a distance', () => {
    const m = runSpec(`use solvers { alternating }\n${bilinear}\nsolve p by alternating() for 1000`);
    const r = Math.hypot(m.value('p.x'), m.value('p.y'));
    expect(r).toBeGreaterThan(1);
    expect(r).toBeLessThan(2);
  });
  test.each([
    ['extragradient(lr: 0.3)', 200],
    ['optimistic(lr: 0.3)', 400],
    ['consensus(lr: 0.1, weight: 2)', 200],
  ] as const)('%s reaches it', (call, steps) => {
    const m = solved(call, bilinear, steps);
    expect(Math.hypot(m.value('p.x'), m.value('p.y'))).toBeLessThan(1e-3);
  });
  test('extragradient: one step is z - lr F(z - lr F(z))', () => {
    const m = solved('extragradient(lr: 0.3)', bilinear, 1);
    const [mx, my] = [1 - 0.3 * 1, 1 + 0.3 * 1];
    expect(m.value('p.x')).toBeCloseTo(1 - 0.3 * my, 12);
    expect(m.value('p.y')).toBeCloseTo(1 + 0.3 * mx, 12);
  });
  test.each(['simultaneous', 'extragradient', 'optimistic', 'consensus(lr: 0.05, weight: 0.1)'])(
    'three players by %s',
    (call) => {
      const m = solved(call, cournot, 400);
      near(
        ['a', 'b', 'c'].map((v) => m.value(`p.${v}`)),
        equilibrium,
        call,
      );
    },
  );
  test('models: a critic and what it judges', () => {
    const m = runSpec(`use solvers { alternating }
use rules { sgd }
use nn { linear }
model D(x: f32[n, 1]) { linear(x, 1) }
model G(x: f32[n, 1]) { linear(x, 1) }
problem gan {
  let fake = G(ones(4, 1))
  player critic moves D maximizes mean(D(2 * ones(4, 1))) - mean(D(fake)) - 0.5 * mean((D(2 * ones(4, 1)) - D(fake))^2)
  player generator moves G minimizes mean((fake - 2)^2)
}
solve gan by alternating(first: 2, one: sgd(0.01), other: sgd(0.1)) for 100
metric made = sum(G(ones(1, 1)))`);
    expect(m.last('made')).toBeCloseTo(2, 3);
  });
  test('a solver for two players refuses three', () => {
    const text = `use solvers { alternating }\n${cournot}\nsolve p by alternating() for 9`;
    expect(errorsOf(text)[0].message).toContain('has 3 players, not 2');
    expect(errorsOf(text)[0].hint).toContain('extragradient');
  });
});

test('every solver of the library has a class, and compiles on a problem of it', () => {
  expect(
    compileSpec('use solvers { descent }\nproblem p { over x: f32 = 1; minimize x^2 }\nsolve p by descent() for 1')
      .program.updates.length,
  ).toBe(1);
});

describe('any number of objectives', () => {
  const point = (c: string) => `minimize sum((x - [${c}])^2)`;
  const square = `problem p { over x: f32[2] = [2, 0.75]
  ${['0.0, 0.0', '1.0, 0.0', '0.0, 1.0', '1.0, 1.0', '0.5, 0.5'].map(point).join('\n  ')} }`;
  const two = `problem p { over x: f32[2] = 1\n  ${point('0.0, 0.0')}\n  maximize -sum((x - [2.0, 0.0])^2) }`;
  const by = (problem: string, args = '', uses = '') =>
    runSpec(`use solvers { common_descent }\n${uses}\n${problem}\nsolve p by common_descent(${args}) for 300`);

  test('common_descent: to the nearest point of the convex hull of the minimizers, of two and of five', () => {
    near(by(two).values('p.x'), [1, 0], 'the segment');
    near(by(square).values('p.x'), [1, 0.75], 'the square');
  });
  test('another aggregator is given as an argument; summed, the minimizer of the sum', () => {
    near(
      by(square, 'summed(), sgd(0.05)', 'use aggregators { summed }\nuse rules { sgd }').values('p.x'),
      [0.5, 0.5],
      'x',
    );
  });
  test('one objective is one of any number, and no warning of its being one', () => {
    const { diagnostics } = compileSpec(
      `use solvers { common_descent }\nproblem p { over x: f32 = 1; minimize (x - 3)^2 }\nsolve p by common_descent() for 9`,
    );
    expect(diagnostics).toEqual([]);
  });
  test('in a solver the list stands in braces; the tuple itself is no objective', () => {
    const solver = (list: string) =>
      `use rules { sgd }\n${two}\nsolver s() for multi_objective (x; fs) { update x by sgd(0.1) minimizing ${list} }\nsolve p by s() for 200`;
    near(runSpec(solver('{ fs }')).values('p.x'), [1, 0], 'the sum');
    near(runSpec(solver('{ fs, fs[0] }')).values('p.x'), [2 / 3, 0], 'once more the first');
    expect(errorsOf(solver('fs'))).toMatchObject([{ code: 'OPT308', hint: expect.stringContaining('{ Fs }') }]);
  });
  test('players, constraints and levels are refused', () => {
    const bad = `problem p { over x: f32 = 1\nover y: f32 = 1\nplayer a moves x minimizes x * y\nplayer b moves y maximizes x * y }`;
    expect(errorsOf(`use solvers { common_descent }\n${bad}\nsolve p by common_descent() for 9`)).toMatchObject([
      { code: 'OPT443' },
    ]);
  });
});

describe('whole numbers', () => {
  const search = `problem p {
  over c: i32[6] in 2..20 = 5
  minimize sum((f32(c) - [3.0, 19.0, 7.0, 2.0, 11.0, 15.0])^2)
}`;
  test('evolution finds the point, and never leaves the range', () => {
    const m = runSpec(`use solvers { evolution }\n${search}\nsolve p by evolution(pop: 60, top: 15) for 60`);
    expect(m.values('p.c')).toEqual([3, 19, 7, 2, 11, 15]);
    const least = m.all('p.best_so_far');
    least.forEach((v, i) => expect(v).toBeLessThanOrEqual(least[Math.max(0, i - 1)]));
  });
  test('a solver of floats refuses them', () => {
    const [d] = errorsOf(`use solvers { descent }\n${search}\nsolve p by descent() for 5`);
    expect(d.message).toContain('has the variable c of whole numbers');
    expect(d.hint).toContain('evolution');
  });
});
