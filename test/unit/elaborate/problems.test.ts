/** Problems and solvers: what their words mean. Optima are closed forms; the methods of the library have a file of their own. */
import { describe, expect, test } from 'vitest';
import { compileSpec, errorsOf, runSpec, warningsOf } from './run-spec.ts';

const bowl = `problem bowl {
  over x: f32[2] = [2, 1]
  minimize F: (x[0] - 1)^2 + 10 * (x[1] + 0.5)^2
}
`;
const step = 'solver step(lr = 0.04) for smooth (x; f) { x <- x - lr * grad(f, x) }\n';

describe('one objective', () => {
  test('a solver moves the variables, and fields read them as they are', () => {
    const m = runSpec(`${bowl}${step}solve bowl by step() for 3\nmetric F = bowl.F\nmetric best = bowl.objective`);
    const [a, b] = [1 - (1 - 2 * 0.04) ** 3 * -1, -0.5 + 1.5 * (1 - 20 * 0.04) ** 3];
    expect(m.values('bowl.x')).toEqual([expect.closeTo(a, 12), expect.closeTo(b, 12)]);
    const value = (a - 1) ** 2 + 10 * (b + 0.5) ** 2;
    expect([m.last('F'), m.last('best')]).toEqual([expect.closeTo(value, 12), expect.closeTo(value, 12)]);
  });
  test('maximize is minimize of minus the objective', () => {
    const text = (sense: string) => `problem p { over x: f32 = 3\n ${sense} }\n${step}solve p by step(0.1) for 5`;
    const x = runSpec(text('maximize -(x - 1)^2 / 2')).value('p.x');
    expect(x).toBeCloseTo(1 + 2 * 0.9 ** 5, 12);
    expect(runSpec(text('minimize (x - 1)^2 / 2')).value('p.x')).toBe(x);
  });
  test('several variables are one tree, models too', () => {
    const m = runSpec(`use nn { linear }
model Net(x: f32[n, 1]) { linear(x, 1) }
problem p {
  over a: f32 = 1
  over Net
  minimize a^2 + mean((Net(ones(4, 1)) - 3)^2)
}
${step}solve p by step(0.1) for 200
metric y = sum(Net(ones(1, 1)))`);
    expect(m.value('p.a')).toBeCloseTo(0, 9);
    expect(m.last('y')).toBeCloseTo(3, 9);
  });
  test('each run has variables of its own, and draws of the problem are paired', () => {
    const m = runSpec(`problem noisy {
  over x: f32 = 0
  sample a ~ normal f32
  minimize (x - a)^2 / 2
}
${step}solver copy() for smooth (x; f) { x <- x - 0.04 * grad(f, x) }
run r = solve noisy by step() for 20
run s = solve noisy by copy() for 20
run t = solve noisy by step(0.02) for 20`);
    expect(m.value('r/noisy.x')).toBe(m.value('s/noisy.x'));
    expect(m.value('r/noisy.x')).not.toBe(m.value('t/noisy.x'));
  });
  test('fields over a model or variable of the file are read through a run, by claims, metrics and values', () => {
    const m = runSpec(`model Net(x: f32[N, 1]) { param W: f32[1, 1] = 0; x @ W }
var w: f32 = 1
problem reg {
  over w
  over Net
  let gap = w - 3
  minimize F: (sum(Net(ones(1, 1))) - 2)^2 + gap^2
  subject to cap: w <= 0
}
solver down() for inequality (x; f, g) { x <- x - 0.25 * grad(f, x) }
run r = solve reg by down() for 2
run s = solve reg by down() for 1
let before = s.F
metric later = r.F
metric both = r.objective - s.F
metric cap = r.cap
metric missed = r.violation
metric slope = sum(grad(r.F, r.w))
metric moved = r.F at { r.w: 3 }
metric shown = before
trial again() { solve reg by down() for 1 }
run t = again()
metric through = t.reg.F
expect r.F ~= 0.5 within 1e-6`);
    // Each step halves the distance of both, which begins at 2: w is 2 and 2.5, W is 1 and 1.5.
    const names = ['later', 'both', 'cap', 'missed', 'slope', 'moved', 'shown', 'through'];
    expect(names.map((n) => m.last(n))).toEqual([0.5, -1.5, 2.5, 2.5, -1, 0.25, 2, 2]);
    expect(m.program.claims).toHaveLength(1);
  });
  test('a batch and a draw of a problem are keyed by the step alone: one is the same in all turns of a step', () => {
    const m = runSpec(`data D = { x: f32(0..16) }
problem p {
  over x: f32 = 0
  batch b = D[4]
  sample a ~ normal f32
  minimize x * (mean(b.x) + a)
}
solver look() for smooth (x; f) {
  state first = 0
  state second = 0
  state other = 0
  repeat 2 { first <- grad(f, x) }
  second <- grad(f, x)
  other <- grad(fresh f, x)
  x <- x + first
}
solve p by look() for 2`);
    const [first, second, other] = ['first', 'second', 'other'].map((n) => m.value(`solveExpr_0.look#${n}`));
    expect(first).toBe(second);
    expect(other).not.toBe(first);
  });
  test('a sweep, and the values that solvers report', () => {
    const m = runSpec(`${bowl}solver step(lr = 0.04) for smooth (x; f) {
  report slope = norm(grad(f, x))
  x <- x - lr * grad(f, x)
}
run s = solve bowl by step(lr: each [0.01, 0.02]) for 10
expect s[1].slope < s[0].slope
metric gap = s[0].objective - s[1].F`);
    expect(m.all('s[0]/slope').length).toBe(10);
    expect(m.last('gap')).toBeGreaterThan(0);
  });
});

describe('where a solve ends', () => {
  const solver = `solver s(lr = 0.1) for smooth (x; f) {
  let g = grad(f, x)
  report slope = norm(g)
  stop when norm(g) < 1e-3
  fail when norm(g) > 1e3 as "runs away"
  x <- x - lr * g
}
`;
  const p = 'problem p { over x: f32 = 3\n minimize x^2 / 2 }\n';
  test('stop when: reports above it are recorded, and nothing is written', () => {
    const m = runSpec(`${p}${solver}solve p by s() for 500`);
    const steps = Math.ceil(Math.log(1e-3 / 3) / Math.log(0.9));
    expect(m.ends.get('p')).toEqual({ step: steps, reason: undefined });
    expect(m.value('p.x')).toBeCloseTo(3 * 0.9 ** steps, 12);
    expect(m.all('p.slope').length).toBe(steps + 1);
  });
  test('without for: until stop when; a solver without it takes one step', () => {
    expect(runSpec(`${p}${solver}solve p by s()`).value('p.x')).toBeLessThan(1e-3);
    expect(runSpec(`${p}${step}solve p by step(0.5)`).value('p.x')).toBe(1.5);
  });
  test('fail when gives its reason', () => {
    const m = runSpec(`${p}${solver}run r = solve p by s(lr: 3) for 500 may fail`);
    expect(m.ends.get('r')?.reason).toBe('runs away');
  });
  describe('in branches', () => {
    // x falls by a tenth of itself each step; the gradient is x.
    const ends = (body: string, most = 500) => {
      const m = runSpec(
        `${p}solver s(lr = 0.1) for smooth (x; f) {\n${body}\n  x <- x - lr * grad(f, x)\n}\nrun r = solve p by s() for ${most} may fail`,
      );
      return { m, ...(m.ends.get('r') ?? { step: most, reason: undefined }) };
    };
    const below = (limit: number): number => Math.ceil(Math.log(limit / 3) / Math.log(0.9));

    test('under if and else: where the branch is taken and the condition holds; what stands behind the if is left out then', () => {
      const { m, step, reason } =
        ends(`  if step > 40 { report far = x; stop when x < 1 } else { fail when x < 1e-2 as "fast" }
  report behind = f32(step)`);
      expect([step, reason]).toEqual([41, undefined]);
      expect(m.all('r/far').length).toBe(1);
      expect(m.all('r/behind').length).toBe(41);
      expect(m.value('r/p.x')).toBeCloseTo(3 * 0.9 ** 41, 12);
    });
    test('the first ending that holds counts, also behind one in a branch', () => {
      const text = (a: string, b: string) => `  if x < 1 { if step > 2 { ${a} } }\n  ${b}`;
      expect(ends(text('stop when x < 0.5', 'fail when x < 0.7 as "b"')).reason).toBe('b');
      expect(ends(text('fail when x < 0.7 as "a"', 'stop when x < 0.5'))).toMatchObject({
        reason: 'a',
        step: below(0.7),
      });
      expect(ends(text('fail when x < 0.7 as "a"', 'stop when x < 0.9'))).toMatchObject({
        reason: undefined,
        step: below(0.9),
      });
      expect(ends(text('stop when true', 'fail when x < 1 as "b"'))).toMatchObject({
        reason: undefined,
        step: below(1),
      });
    });
    test('under every: at those steps alone; in first: before the first step; in a for: one after the other', () => {
      expect(ends('  every 10 { stop when x < 1 }').step).toBe(Math.ceil(below(1) / 10) * 10);
      expect(ends('  first { fail when x > 2 as "far" }')).toMatchObject({ step: 0, reason: 'far' });
      expect(ends('  first { fail when x < 2 as "near" }', 20)).toMatchObject({ step: 20, reason: undefined });
      expect(ends('  for k in 0..3 { fail when x < k * 1.0 as "low" }\n  stop when x < 1.5')).toMatchObject({
        step: below(2),
        reason: 'low',
      });
    });
    test('in a branch as well nothing is written above', () => {
      expect(
        errorsOf(
          `${p}solver s() for smooth (x; f) {\n  if x > 1 { x <- x / 2; stop when x < 1 }\n}\nsolve p by s() for 5`,
        ),
      ).toMatchObject([{ code: 'OPT444' }]);
      expect(
        errorsOf(
          `${p}solver s() for smooth (x; f) {\n  if x > 1 { x <- x / 2 }\n  if x > 1 { stop when x < 2 }\n}\nsolve p by s() for 5`,
        ),
      ).toMatchObject([{ code: 'OPT444' }]);
      // In the other branch it is another step that is taken.
      expect(ends('  if x > 1 { x <- x / 2 } else { stop when true }').step).toBeLessThan(below(1));
    });
    test('in a solve that is a loop of a step', () => {
      const m = runSpec(`${p}solver s() for smooth (x; f) {
  if step > 4 { stop when x < 1 }
  x <- x - 0.1 * grad(f, x)
}
train 1 { solve p by s() for 500 }`);
      expect(m.value('p.x')).toBeCloseTo(3 * 0.9 ** below(1), 12);
    });
  });
  test('until is asked before each step', () => {
    const m = runSpec(`${p}${step}solve p by step(0.5) for 100 until p.x < 1`);
    expect(m.value('p.x')).toBe(0.75);
    expect(m.ends.get('p')?.step).toBe(2);
  });
  test('first happens before the first step, step and progress are those of the solve', () => {
    const m = runSpec(`${p}solver s() for smooth (x; f) {
  first { x <- x + 100 }
  every 2 { x <- x + 10 }
  x <- x + f32(step) + 8 * progress
}
solve p by s() for 4`);
    expect(m.value('p.x')).toBe(3 + 100 + 20 + 6 + 8 * (0 + 0.25 + 0.5 + 0.75));
  });
});

describe('constraints', () => {
  const solver = `solver al(rho = 10) for constrained (x; f, g, h) {
  state mu = zeros_like(g)
  state lam = zeros_like(h)
  fn A = f + dot(lam, h) + rho / 2 * dot(h, h) + dot(max(g + mu / rho, 0), max(g + mu / rho, 0)) * rho / 2
  repeat 60 { x <- x - 0.02 * grad(A, x) }
  mu <- max(mu + rho * g, 0)
  lam <- lam + rho * h
  multipliers g = mu
  multipliers h = lam
}
`;
  const lagrange = (constraints: string, sense = 'minimize (x[0] - 2)^2 + (x[1] - 1)^2') =>
    runSpec(`${solver}problem p {
  over x: f32[2] = 0
  ${sense}
  ${constraints}
}
solve p by al() for 60
metric least = p.multipliers.c
metric missed = p.violation`);
  test('the multiplier of an inequality is not negative, whichever way it is written', () => {
    for (const written of ['subject to c: x[0] + x[1] <= 1', 'subject to c: 1 >= x[0] + x[1]']) {
      const m = lagrange(written);
      expect(m.values('p.x')).toEqual([expect.closeTo(1, 6), expect.closeTo(0, 6)]);
      expect(m.last('least')).toBeCloseTo(2, 5);
      expect(m.last('missed')).toBeLessThan(1e-6);
    }
  });
  test('that of an equality is that of f + lambda (a - b)', () => {
    expect(lagrange('subject to c: x[0] + x[1] == 1').last('least')).toBeCloseTo(2, 5);
    expect(lagrange('subject to c: 1 == x[0] + x[1]').last('least')).toBeCloseTo(-2, 5);
  });
  test('in a maximization too the price of an inequality is not negative', () => {
    const m = lagrange('subject to c: x[0] + x[1] <= 1', 'maximize -((x[0] - 2)^2 + (x[1] - 1)^2)');
    expect(m.last('least')).toBeCloseTo(2, 5);
  });
  test('vector constraints, forall, and several names', () => {
    const m = runSpec(`${solver}problem p {
  over x: f32[3] = 0
  minimize sum((x - [3.0, 2.0, 1.0])^2)
  subject to each: forall i in 0..3: x[i] <= 1.5
  subject to same: x[0] == x[1]
}
solve p by al() for 100
metric price = p.multipliers.each[0] + p.multipliers.each[1]
metric third = p.multipliers.each[2]`);
    expect(m.values('p.x')).toEqual([1.5, 1.5, 1].map((v) => expect.closeTo(v, 5)));
    expect(m.last('price')).toBeCloseTo(4, 4);
    expect(m.last('third')).toBeCloseTo(0, 6);
  });
  test('multipliers may be published in any branch of a choice', () => {
    const m = runSpec(`solver dual(rate = 0.1, mode = 2) for equality (x; F, g) {
  state l = zeros_like(g)
  x <- x - rate * grad(F + sum(l * g), x)
  if mode == 1 { l <- l + g }
  else if mode == 2 {
    l <- l + rate * g
    multipliers g = l
  }
}
problem p {
  over x: f32[2] = 0
  minimize F: sum((x - [1.0, 2.0])^2)
  subject to g: sum(x) == 1
}
solve p by dual() for 200
metric price = p.multipliers.g`);
    expect(m.last('price')).toBeCloseTo(2, 4);
  });
});

describe('levels and players', () => {
  test('a lower level, by a solver that takes it as it stands', () => {
    const m = runSpec(`problem p {
  over x: f32 = 0
  minimize F: (y - 1)^2 + x^2
  where y solves {
    over y: f32 = 0
    minimize G: (y - x)^2
  }
}
solver implicit(lr = 0.1) for bilevel (x, y; F, G) {
  repeat 50 { y <- y - 0.25 * grad(G, y) }
  let z = grad(F, y) / hessian(G, y)[0, 0]
  x <- x - lr * (grad(F, x) - grad(stop(z) * grad(G, y), x))
}
solve p by implicit() for 200`);
    expect(m.value('p.x')).toBeCloseTo(0.5, 6);
    expect(m.value('p.y')).toBeCloseTo(0.5, 6);
  });
  test('players: each moves its own variables by its own objective', () => {
    const m = runSpec(`problem p {
  over x: f32 = 1
  over y: f32 = 1
  player a moves x minimizes x * y + x^2 / 2
  player b moves y maximizes x * y - y^2 / 2
}
solver both(lr = 0.1) for game (x; F) {
  let d = (grad(F[0], x[0]), grad(F[1], x[1]))
  x <- x - lr * d
}
solve p by both() for 1`);
    expect(m.value('p.x')).toBeCloseTo(1 - 0.1 * 2, 12);
    expect(m.value('p.y')).toBeCloseTo(1 + 0.1 * (1 - 1), 12);
  });
});

describe('solve inside of other text', () => {
  test('as a statement in a train body: a loop that begins where it stood', () => {
    const m = runSpec(`var target: f32 = 0
problem inner { over x: f32 = 0
  minimize (x - target)^2 / 2 }
${step}train 3 {
  target <- target + 1
  solve inner by step(0.5) for 2
}`);
    let x = 0;
    for (let t = 1; t <= 3; t++) for (let k = 0; k < 2; k++) x += 0.5 * (t - x);
    expect(m.value('inner.x')).toBeCloseTo(x, 12);
  });
  test('as an expression it begins anew, and its Lagrangian has the derivative of the optimal value', () => {
    const m = runSpec(`problem q(t: f32) {
  over x: f32[2] = 0
  minimize (x[0]^2 + 4 * x[1]^2) / 2 + t * x[0]
  subject to c: x[0] + x[1] == t
}
solver al(rho = 5) for equality (x; f, c) {
  state lam = zeros_like(c)
  stop when norm(c) < 1e-9 and step > 5
  repeat 80 { x <- x - 0.05 * grad(f + dot(lam, c) + rho / 2 * dot(c, c), x) }
  lam <- lam + rho * c
  multipliers c = lam
}
fn value(t: f32) { let s = solve q(t) by al()
  s.lagrangian at { s: stop(s) } }
var t: f32 = 0.7
metric v = value(t)
metric slope = grad(value(t), t)
metric each = sum(map [0.2, 0.7] as u { value(u) })
metric found = (solve q(t) by al()).x[0]`);
    // min over a + b = t of a^2/2 + 2 b^2 + t a: a = (4 t - t) / 5, so v(t) = a^2/2 + 2 (t - a)^2 + t a.
    const best = (t: number) => ((3 * t) / 5) ** 2 / 2 + 2 * ((2 * t) / 5) ** 2 + (t * 3 * t) / 5;
    expect(m.last('v')).toBeCloseTo(best(0.7), 7);
    expect(m.last('slope')).toBeCloseTo((best(0.7001) - best(0.6999)) / 0.0002, 6);
    expect(m.last('each')).toBeCloseTo(best(0.2) + best(0.7), 7);
    expect(m.last('found')).toBeCloseTo(0.42, 7);
  });
});

test('a level may follow one that is further above than the next', () => {
  const text = (read: string) => `class three (x, y, z; F, G, H) { over x
  minimize F
  where y solves { over y
    minimize G
    where z solves { over z
      minimize H } } }
solver turns() for three (x, y, z; F, G, H) {
  z <- z - 0.1 * grad(H, z)
  y <- y - 0.1 * grad(G, y)
  x <- x - 0.1 * grad(F, x)
}
problem p { over x: f32 = 2
  minimize (x - y)^2
  where y solves { over y: f32 = 0
    minimize (y - z)^2 + (y - x)^2
    where z solves { over z: f32 = 5
      minimize (z - ${read})^2 } } }
solve p by turns() for 3`;
  expect(warningsOf(text('x'))).toEqual([]);
  expect(warningsOf(text('y'))).toEqual([]);
  expect(warningsOf(text('1')).join()).toContain('OPT449');
});

describe('a solve that is a value, by the library', () => {
  test('line searches of rules see the multipliers of the solve as they stand', () => {
    const m = runSpec(`use solvers { augmented_lagrangian }
problem nearest(t: f32) { over x: f32[2] = 0
  minimize sum((x - t)^2)
  subject to cap: x[0] + x[1] <= 1 }
var t: f32 = 3
let s = solve nearest(t) by augmented_lagrangian()
metric best = s.objective
metric cap = s.multipliers.cap
metric slope = grad(s.lagrangian, t)
metric each = sum(map [0.0, 2.0] as u { (solve nearest(u) by augmented_lagrangian()).objective })`);
    // x = (1/2, 1/2) and mu = 2 (t - 1/2) where t > 1/2: the value 2 (t - 1/2)^2
    expect(m.last('best')).toBeCloseTo(12.5, 3);
    expect(m.last('cap')).toBeCloseTo(5, 3);
    expect(m.last('slope')).toBeCloseTo(10, 3);
    expect(m.last('each')).toBeCloseTo(4.5, 3);
  });
});

describe('mistakes', () => {
  test('the message of a misfit names what is ignored and which solvers fit', () => {
    const [d] = errorsOf(`use solvers { descent }
problem p {
  over x: f32 = 0
  minimize x^2
  subject to least: x >= 1
}
solve p by descent() for 10`);
    expect(d.message).toContain('has the inequality least, which this solver does not look at');
  });
  test('a file with runs has no variables outside of them, but for at', () => {
    const text = (read: string) => `${bowl}${step}run a = solve bowl by step() for 1\nmetric m = ${read}`;
    expect(errorsOf(text('bowl.F')).map((d) => d.code)).toEqual(['OPT424']);
    const m = runSpec(text('bowl.F at { bowl.x: [1.0, 0.5] }'));
    expect(m.last('m')).toBeCloseTo(10, 12);
  });
  test('an affine constraint is told by its form', () => {
    const text = (g: string) => `problem p {
  over x: f32 = 0
  minimize F: x^2 + y[0]
  where y solves {
    over y: f32[2] = 0
    minimize G: sum(y^2)
    subject to c: ${g}
  }
}
solver s() for bilevel (x, y; F, G, g) { y <- y - 0.1 * grad(G, y) }
solve p by s() for 1`;
    compileSpec(text('2 * sum(y) + x^2 == 1'));
    expect(errorsOf(text('y[0] * y[1] == 1')).map((d) => d.code)).toEqual(['OPT443']);
  });
});

describe('problems and solvers as arguments, and beside each other', () => {
  test('a trial takes a problem and a solver', () => {
    const m = runSpec(`${bowl}${step}trial t(p: problem, s: solver, n: dim = 3) {
  solve p by s for n
  metric F = p.F
}
run a = t(bowl, step())
run b = t(bowl, step(lr: 0.02), n: 4)`);
    expect(m.values('a/bowl.x')[0]).toBeCloseTo(1 + (1 - 2 * 0.04) ** 3, 12);
    expect(m.values('b/bowl.x')[0]).toBeCloseTo(1 + (1 - 2 * 0.02) ** 4, 12);
    expect(m.last('a/F')).toBeGreaterThan(0);
  });
  test('a problem of a trial reads what the trial has', () => {
    const m = runSpec(`${step}trial t(goal) {
  var w: f32 = goal
  problem p { over x: f32 = 0
    minimize (x - w)^2 / 2 }
  solve p by step(0.5) for 2
}
run a = t(4)
metric x = a.p.x`);
    expect(m.last('x')).toBe(3);
  });
  test('a second solve goes on from where the first ended', () => {
    const m = runSpec(`problem p { over x: f32 = 8; minimize x^2 / 2 }
solver half() for smooth (x; f) { report seen = f
  x <- x - 0.5 * grad(f, x) }
solve p by half() for 2
solve p by half() for 1
${step}solve p by step(1) for 1`);
    expect(m.all('p.seen')).toEqual([32, 8, 2]);
    expect(m.program.solves?.map((solve) => solve.key)).toEqual(['p', 'p_1', 'p_2']);
    expect(m.value('p.x')).toBe(0);
  });
  test('a solver solves another problem in each of its steps', () => {
    const m = runSpec(`problem inner { over y: f32 = 0; minimize (y - outer.x)^2 / 2 }
problem outer { over x: f32 = 1; minimize (x - 3)^2 / 2 }
${step}solver twice() for smooth (x; f) {
  x <- x - 0.5 * grad(f, x)
  solve inner by step(0.5) for 3
}
solve outer by twice() for 2`);
    let [x, y] = [1, 0];
    for (let k = 0; k < 2; k++) {
      x -= 0.5 * (x - 3);
      for (let i = 0; i < 3; i++) y += 0.5 * (x - y);
    }
    expect([m.value('outer.x'), m.value('inner.y')]).toEqual([expect.closeTo(x, 12), expect.closeTo(y, 12)]);
  });
  test('a lower level moves a model, and two lower levels have a class of their own', () => {
    const m = runSpec(`use nn { linear }
use rules { sgd }
model Net(x: f32[n, 1]) { linear(x, 1) }
problem p {
  over a: f32 = 0
  minimize F: (sum(Net(ones(1, 1))) - 1)^2 + (z - a)^2
  where Net solves { minimize G: mean((Net(ones(4, 1)) - 2 * a)^2) }
  where z solves {
    over z: f32 = 0
    minimize H: (z - a - 1)^2
  }
}
class two_below (x, y, z; F, G, H) {
  over x
  minimize F
  where y solves { over y
    minimize G }
  where z solves { over z
    minimize H }
}
solver s() for two_below (x, y, z; F, G, H) {
  repeat 20 { update y by sgd(0.2) minimizing G }
  repeat 20 { update z by sgd(0.4) minimizing H }
  x <- x + 0.1
}
solve p by s() for 5
metric net = sum(Net(ones(1, 1)))`);
    expect(m.last('net')).toBeCloseTo(2 * 0.4, 3);
    expect(m.value('p.z')).toBeCloseTo(1.4, 6);
    const [d] = errorsOf(`use solvers { penalty }
problem p {
  over x: f32 = 0
  minimize F: x^2 + y^2 + z^2
  where y solves { over y: f32 = 0; minimize (y - x)^2 }
  where z solves { over z: f32 = 0; minimize (z - x)^2 }
}
solve p by penalty() for 5`);
    expect(d.message).toContain('has 2 lower levels, not 1');
    const [none] = errorsOf(
      `use solvers { unrolled }\nproblem p { over x: f32 = 1; minimize x^2 }\nsolve p by unrolled() for 5`,
    );
    expect(none.message).toContain('has no lower level, where one is needed');
  });
  test('a lower level within a lower level', () => {
    const m = runSpec(`problem p {
  over x: f32 = 1
  minimize F: (z - 1)^2 + x^2
  where y solves {
    over y: f32 = 0
    minimize G: (y - x)^2 + 0 * z
    where z solves {
      over z: f32 = 0
      minimize H: (z - 2 * y)^2
    }
  }
}
class three (x, y, z; F, G, H) {
  over x
  minimize F
  where y solves { over y
    minimize G
    where z solves { over z
      minimize H } }
}
solver s() for three (x, y, z; F, G, H) {
  repeat 10 { y <- y - 0.5 * grad(G, y) }
  repeat 10 { z <- z - 0.5 * grad(H, z) }
  x <- 0.5 * x
}
solve p by s() for 3`);
    expect([m.value('p.x'), m.value('p.y'), m.value('p.z')]).toEqual([0.125, 0.25, 0.5]);
  });
  test('a multiplier of a solver that descends is told of as its text names it', () => {
    const { diagnostics } = compileSpec(`use rules { sgd }
problem p { over x: f32[2] = 0
  minimize sum((x - 2)^2)
  subject to line: x[0] + x[1] == 1 }
solver s() for equality (x; f, c) {
  state lam = zeros_like(c)
  update x by sgd(0.1) minimizing f + dot(lam, c)
  update lam by sgd(0.1) minimizing f + dot(lam, c)
  multipliers c = lam
}
run r = solve p by s() for 5`);
    expect(diagnostics.filter((d) => d.code === 'OPT435')).toMatchObject([
      { message: expect.stringContaining('is linear in lam, whose'), hint: expect.stringContaining('move lam in an') },
    ]);
  });
  test('a set bound by the header is given to a rule', () => {
    const m = runSpec(`use rules { sgd, project }
problem p { over x: f32[2] in box(0, 1) = 0.5
  minimize sum((x - [2.0, 0.25])^2) }
solver s() for set_constrained (x in X; f) { update x by sgd(0.25) |> project(X) minimizing f }
solve p by s() for 60`);
    expect(m.values('p.x')).toEqual([1, expect.closeTo(0.25, 9)]);
  });
});
