/**
 * Estimators and aggregators written in the spec itself: what `with` does with them. A draw is read back through a report or through the closed form of the
 * estimate on a quadratic, so that nothing is compared with code of the compiler.
 */
import { describe, expect, test } from 'vitest';
import { holds } from './decide.ts';
import { compileSpec, errorsOf, runSpec } from './run-spec.ts';

const QUADRATIC = 'let c = [1.0, 2.0, 3.0]\nvar x: f32[3] = [1.5, -0.7, 0.3]\n';
const START = [1.5, -0.7, 0.3];
const C = [1, 2, 3];
const close = (found: readonly number[], wanted: readonly number[], digits = 10): void => {
  expect(found).toHaveLength(wanted.length);
  found.forEach((v, i) => expect(v).toBeCloseTo(wanted[i], digits));
};
const codes = (text: string): string[] => errorsOf(text).map((d) => d.code);

const TWO_SIDED = `estimator spsa(eps = 1e-3) for (L, P) {
  sample z ~ normal like P
  report slope = (L at { P: P + eps * z } - L at { P: P - eps * z }) / (2 * eps)
  (L at { P: P + eps * z } - L at { P: P - eps * z }) / (2 * eps) * z
}
rule plain(lr = 0.1) for (p, g) { p <- p - lr * g }
`;

describe('an estimator in an update', () => {
  test('its draw is one: the step is along z, by the slope along z', () => {
    const m = runSpec(`${TWO_SIDED}${QUADRATIC}train 1 { update x by plain() minimizing sum(c * x^2) with spsa() }`);
    // x1 = x0 - lr * slope * z and slope = 2 sum(c x z) for a quadratic: z = (x0 - x1) / (lr slope) must have this slope.
    const slope = m.last('slope');
    const z = m.values('x').map((v, i) => (START[i] - v) / (0.1 * slope));
    expect(2 * z.reduce((s, v, i) => s + C[i] * START[i] * v, 0)).toBeCloseTo(slope, 6);
  });

  test('each step and each statement draws anew, each run of the text the same', () => {
    const text = `${TWO_SIDED}${QUADRATIC}var y: f32[3] = [1.5, -0.7, 0.3]
      train 2 {
        update x by plain(0) minimizing sum(c * x^2) with spsa()
        update y by plain(0.1) minimizing sum(c * y^2) with spsa()
      }`;
    const slopes = runSpec(text.replaceAll('report slope', 'report slope_')).values('y');
    close(slopes, runSpec(text.replaceAll('report slope', 'report slope_')).values('y'));
    expect(runSpec(text, { seed: 5 }).values('y')[0]).not.toBeCloseTo(slopes[0], 3);
  });

  test('maximizing climbs: the estimator sees what is descended', () => {
    const both = ['minimizing -sum(c * x^2)', 'maximizing sum(c * x^2)'].map((objective) =>
      runSpec(`${TWO_SIDED}${QUADRATIC}train 3 { update x by plain() ${objective} with spsa() }`).values('x'),
    );
    close(both[0], both[1]);
  });

  test('several targets are one tree', () => {
    const m = runSpec(`${TWO_SIDED}var a: f32[2] = [1.0, 2.0]\nvar b = 3.0
      train 1 { update a, b by plain() minimizing sum(a^2) + b^2 with spsa() }`);
    const slope = m.last('slope');
    const z = [...m.values('a'), ...m.values('b')].map((v, i) => (i + 1 - v) / (0.1 * slope));
    expect(2 * z.reduce((s, v, i) => s + (i + 1) * v, 0)).toBeCloseTo(slope, 6);
  });

  test('an objective without a derivative is fine where nothing differentiates', () => {
    const text = (est: string) => `${TWO_SIDED}${QUADRATIC}estimator back() for (L, P) { grad(L, P) }
      train 1 { update x by plain() minimizing -mean(x > 0) with ${est} }`;
    expect(compileSpec(text('spsa(2)'))).toBeDefined();
    expect(codes(text('back()'))).toEqual(['OPT412']);
    expect(codes(text('back()').replace(' with back()', ''))).toEqual(['OPT412']);
  });

  test('an objective that does not read a target is refused, whatever the estimator', () => {
    const text = `${TWO_SIDED}${QUADRATIC}var y = 1.0\ntrain 1 { update x, y by plain() minimizing sum(c * x^2) with spsa() }`;
    expect(codes(text)).toEqual(['OPT411']);
  });

  test('one target that only flat operations reach is refused where derivatives are taken', () => {
    const text = `estimator back() for (L, P) { grad(L, P) }\nrule plain() for (p, g) { p <- p - g }
      var x = 1.0\nvar y = 1.0\ntrain 1 { update x, y by plain() minimizing x^2 + sign(y) with back() }`;
    expect(codes(text)).toEqual(['OPT412']);
  });
});

describe('what an estimator may say', () => {
  test('it counts its updates and keeps a state for each statement', () => {
    const m = runSpec(`${QUADRATIC}rule plain(lr = 0.1) for (p, g) { p <- p - lr * g }
      estimator heavy(mu = 0.5) for (L, P) {
        state m = zeros_like(P)
        m <- mu * m + grad(L, P)
        report count = f32(k)
        m
      }
      train 4 { update x by plain(0.01) minimizing sum(c * x^2) with heavy() }`);
    let x = [...START];
    let v = [0, 0, 0];
    for (let step = 0; step < 4; step++) {
      v = v.map((a, i) => 0.5 * a + 2 * C[i] * x[i]);
      x = x.map((a, i) => a - 0.01 * v[i]);
    }
    close(m.values('x'), x);
    expect(m.all('count')).toEqual([1, 2, 3, 4]);
  });

  test('every n counts its updates', () => {
    const m = runSpec(`${QUADRATIC}rule plain(lr = 0.1) for (p, g) { p <- p - lr * g }
      estimator lazy(n: dim) for (L, P) {
        state g = zeros_like(P)
        every n { g <- grad(L, P) }
        g
      }
      train 4 { update x by plain(0.01) minimizing sum(c * x^2) with lazy(2) }`);
    const factor = C.map((c) => (1 - 0.04 * c) ** 2);
    close(
      m.values('x'),
      START.map((v, i) => v * factor[i]),
    );
  });

  test('scalar arguments are by name: evaluated at each use', () => {
    const m = runSpec(`${QUADRATIC}rule plain() for (p, g) { p <- p - g }
      estimator scaled(a) for (L, P) { a * grad(L, P) }
      train 2 { update x by plain() minimizing sum(c * x^2) with scaled(0.01 * f32(step + 1)) }`);
    close(
      m.values('x'),
      START.map((v, i) => v * (1 - 0.02 * C[i]) * (1 - 0.04 * C[i])),
    );
  });

  test('it takes estimators, each turn of which draws anew', () => {
    const m = runSpec(`${TWO_SIDED.replace(/ {2}report.*\n/, '')}${QUADRATIC}
      estimator averaged(q: dim, of: estimator = spsa()) for (L, P) { mean over 0..q as i { grad(L, P) with of } }
      train 1 { update x by plain(1) minimizing sum(c * x^2) with averaged(4000) }`);
    // the mean of z z^T is the identity: sd of an entry is |g| sqrt(2) / sqrt(q) at most
    const sd = Math.sqrt(2) * Math.hypot(3, 2.8, 1.8);
    m.values('x').forEach((v, i) => {
      const error = START[i] - v - 2 * C[i] * START[i];
      expect(Math.abs(error)).toBeGreaterThan(1e-4);
      expect(Math.abs(error)).toBeLessThan((4 * sd) / Math.sqrt(4000));
    });
  });

  test('a state as the direction of a derivative is a constant', () => {
    expect(() =>
      runSpec(`${QUADRATIC}rule plain() for (p, g) { p <- p - g }
      estimator away(of: estimator) for (L, P) {
        let a = grad(L, P) with of
        (grad(L, P) with of) at { P: P + 0.1 * stop(a) / norm(a) }
      }
      estimator back() for (L, P) { grad(L, P) }
      train 1 { update x by plain() minimizing sum(c * x^2) with away(back()) }`),
    ).not.toThrow();
  });

  test('what is stopped in the objective is a constant for values at other points too', () => {
    // d/dx of x * stop(x) is stop(x): the finite difference must not move the stopped factor
    const m = runSpec(`${TWO_SIDED}var x = 3.0\ntrain 1 { update x by plain() minimizing x * stop(x) with spsa() }`);
    const z = (3 - m.value('x')) / (0.1 * m.last('slope'));
    expect(m.last('slope')).toBeCloseTo(3 * z, 8);
  });

  test('a gradient clause is the derivative, and the value under it is the value', () => {
    const m = runSpec(`${TWO_SIDED}fn square(a) { stop(a^2) } gradient g -> 2 * a * g
      var x = 3.0\ntrain 1 { update x by plain() minimizing square(x) with spsa() }`);
    const z = (3 - m.value('x')) / (0.1 * m.last('slope'));
    expect(m.last('slope')).toBeCloseTo(6 * z, 6);
  });

  test('values at other points are all that is computed', async () => {
    // the largest logit of logsumexp is stopped by the compiler, which says nothing of the text
    const text = `use losses { cross_entropy }\n${TWO_SIDED.replace(/ {2}report.*\n/, '')}
      fn f(z) = mean(cross_entropy(z, [0, 1]))
      var x: f32[2, 3] = 1
      train 4 { update x by plain() minimizing f(x) with spsa() }
      expect calls(train, f) == 8`;
    expect(await holds(text)).toEqual([true]);
  });

  test('a reversal is refused where values are compared', () => {
    expect(
      codes(
        `${TWO_SIDED}var x = 3.0\ntrain 1 { update x by plain() minimizing x^2 + reverse(x, by: 1)^2 with spsa() }`,
      ),
    ).toEqual(['OPT432']);
  });

  test('its value is shaped like P', () => {
    expect(
      codes(`${QUADRATIC}rule plain() for (p, g) { p <- p - g }
      estimator wrong() for (L, P) { [1.0, 2.0] * L }
      train 1 { update x by plain() minimizing sum(c * x^2) with wrong() }`),
    ).toEqual(['OPT302']);
  });
});

describe('what the objective stops', () => {
  // x * stop(x) + x^2 / 2 has the derivative stop(x) + x = 6 at 3; its values have the slope 9.
  const text = (
    more: string,
  ) => `fn central(A: objective, Q: cells) = ((A at { Q: Q + 1e-3 }) - (A at { Q: Q - 1e-3 })) / 2e-3
    var x = 3.0
    fn L = x * stop(x) + x^2 / 2
    ${more}`;
  const said = (more: string) => compileSpec(text(more)).diagnostics.map((d) => d.code);

  test('is held in a fn that an estimator gives L and P', () => {
    const m = runSpec(text('estimator by_fn() for (L, P) { central(L, P) }\nmetric g = grad(L, x) with by_fn()'));
    expect(m.last('g')).toBeCloseTo(6, 6);
  });
  test('moves in a rule or solver that compares values, with a warning at the stop', () => {
    const rule = (body: string) =>
      `rule r() for tree (P, G; L) { report slope = ${body}; P <- P - 0.1 * G }\ntrain 1 { update x by r() minimizing L }`;
    expect(runSpec(text(rule('central(L, P)'))).last('slope')).toBeCloseTo(9, 6);
    expect(said(rule('central(L, P)'))).toEqual(['OPT438']);
    expect(said(rule('(L at { P: P - G }) - L'))).toEqual(['OPT438']);
    const solver = (body: string) => `problem p { over z: f32 = 3; minimize z * stop(z) + z^2 / 2 }
      solver s() for smooth (w; f) { report slope = ${body}; w <- w - 0.1 * grad(f, w) }\nsolve p by s() for 1`;
    expect(said(solver('central(f, w)'))).toEqual(['OPT438']);
    expect(said(solver('(f + 1) at { w: 2 * w }'))).toEqual(['OPT438']);
  });
  test('nothing is said of a derivative at another point, of a cell that stays, nor of at in the text of a phase', () => {
    const rule = (body: string) =>
      `rule r() for tree (P, G; L) { let H = ${body}; P <- P - 0.1 * H }\ntrain 1 { update x by r() minimizing L }`;
    expect(said(rule('grad(L, P) at { P: P - 0.1 * G }'))).toEqual([]);
    expect(
      said(
        `train 1 { report a = (L at { x: 2 }) - L; update x by plain() minimizing L }\nrule plain() for (p, g) { p <- p - g }`,
      ),
    ).toEqual([]);
    const other = `var kept = 3.0\nfn M = x * stop(kept) + x^2 / 2\nrule r() for tree (P, G; L) { report a = (L at { P: P - G }) - L; P <- P - 0.1 * G }\n`;
    expect(said(`${other}train 1 { update x by r() minimizing M; kept <- x }`)).toEqual([]);
  });
});

describe('examples: for (L over e, P)', () => {
  const CLIPPED = `rule plain(lr = 1) for (p, g) { p <- p - lr * g }
    estimator clipped(r) for (L over e, P) { mean over e { let g = grad(L[e], P); min(1, r / max(norm(g), 1e-12)) * g } }
    let rows = [[3.0, 4.0], [0.3, 0.4], [-6.0, 8.0]]
    var w: f32[2] = [1.0, 1.0]
    `;
  // gradients of the examples are the rows
  const wanted = [1 - (0.6 + 0.3 - 0.6) / 3, 1 - (0.8 + 0.4 + 0.8) / 3];

  test('written in the statement', () => {
    close(
      runSpec(
        `${CLIPPED}train 1 { update w by plain() minimizing mean over rows as r { dot(r, w) } with clipped(1) }`,
      ).values('w'),
      wanted,
    );
  });
  test('written as a parameterless fn, and given by name', () => {
    close(
      runSpec(`${CLIPPED}fn risk = mean over rows as r { dot(r, w) }
        train 1 { update w by plain() minimizing risk with clipped(1) }`).values('w'),
      wanted,
    );
    close(
      runSpec(
        `${CLIPPED}train 1 { update w by plain() along grad(mean over rows as r { dot(r, w) }, w) with clipped(1) }`,
      ).values('w'),
      wanted,
    );
  });
  test('of several heads, and maximized', () => {
    close(
      runSpec(`${CLIPPED}let b = [-1.0, -1.0, -1.0]
        train 1 { update w by plain() maximizing mean over rows as r, b as s { s * dot(r, w) } with clipped(1) }`).values(
        'w',
      ),
      wanted,
    );
  });
  test('draws of an example are those of the objective', () => {
    const m = runSpec(`rule plain(lr = 1) for (p, g) { p <- p - lr * g }
      estimator same() for (L over e, P) { report gap = abs(L - mean over e { L[e] }); mean over e { grad(L[e], P) } }
      var w = 1.0
      train 2 { update w by plain(0.1) minimizing mean over 0..5 as i { sample z ~ normal f32; (w - z)^2 } with same() }`);
    m.all('gap').forEach((gap) => expect(gap).toBeLessThan(1e-12));
  });
  test('written as a fn with parameters, whose body may name values first', () => {
    const by = (fns: string, objective: string) =>
      runSpec(`${CLIPPED}${fns}\ntrain 1 { update w by plain() minimizing ${objective} with clipped(1) }`).values('w');
    close(by('fn risk(data) = mean over data as r { dot(r, w) }', 'risk(rows)'), wanted);
    close(
      by('fn risk(data, scale = 2) { let half = scale / 2; mean over data as r { half * dot(r, w) } }', 'risk(rows)'),
      wanted,
    );
    close(
      by(
        'fn inner(data, k) = mean over data as r { k * dot(r, w) }\nfn risk(data) = inner(k: 1, data: data)',
        'risk(rows)',
      ),
      wanted,
    );
    close(
      by('fn inner(data) = mean over data as r { dot(r, w) }\nfn risk { let same = rows; inner(same) }', 'risk'),
      wanted,
    );
  });
  test('draws of an example in a fn with parameters are those of the call', () => {
    const m = runSpec(`rule plain(lr = 1) for (p, g) { p <- p - lr * g }
      estimator same() for (L over e, P) { report gap = abs(L - mean over e { L[e] }); mean over e { grad(L[e], P) } }
      fn noisy(n: dim, s) { sample u ~ normal f32; mean over 0..n as i { sample z ~ normal f32; (s * w - z - u)^2 } }
      var w = 1.0
      train 2 { update w by plain(0.1) minimizing noisy(5, 2) with same() }`);
    expect(m.all('gap').length).toBe(2);
    m.all('gap').forEach((gap) => expect(gap).toBeLessThan(1e-12));
  });
  test('a closed number is refused, with a hint', () => {
    const at = (objective: string) =>
      codes(`${CLIPPED}fn risk = 2 * (mean over rows as r { dot(r, w) })
        train 1 { update w by plain() minimizing ${objective} with clipped(1) }`);
    expect(at('sum(rows @ w)')).toEqual(['OPT431']);
    expect(at('risk')).toEqual(['OPT431']);
    expect(
      codes(`${CLIPPED}fn risk(d) = sqrt(mean over d as r { dot(r, w)^2 })
        train 1 { update w by plain() minimizing risk(rows) with clipped(1) }`),
    ).toEqual(['OPT431']);
  });
});

describe('aggregators', () => {
  const HEAD = `rule plain(lr = 1) for (p, g) { p <- p - lr * g }
    aggregator difference() for (Gs, P) { let (a, b) = Gs; 2 * a - Gs[1] / len(Gs) + 0 * P }
    aggregator only(i: dim) for (Gs, P) { Gs[i] }
    var x: f32[2] = [1.0, 2.0]
    `;
  test('see one direction for each objective', () => {
    const m = runSpec(
      `${HEAD}train 1 { update x by plain() minimizing { sum(x^2), dot(x, [1.0, 4.0]) } with difference() }`,
    );
    close(m.values('x'), [1 - (2 * 2 - 0.5), 2 - (2 * 4 - 2)]);
  });
  test('of estimators: each objective has its own state, and the draws of the statement', () => {
    const m =
      runSpec(`${HEAD}estimator last() for (L, P) { state before = zeros_like(P); let b = before; before <- grad(L, P); b }
      train 2 { update x by plain() minimizing { sum(x^2), dot(x, [1.0, 4.0]) } with last() |> only(1) }`);
    close(m.values('x'), [0, -2]);
    const z = (i: number) =>
      runSpec(`${HEAD}estimator along() for (L, P) { sample z ~ normal like P; z + 0 * grad(L, P) }
        train 1 { update x by plain() minimizing { sum(x^2), sum(x^4) } with along() |> only(${i}) }`).values('x');
    close(z(0), z(1));
  });
  test('as an expression over a list', () => {
    const m = runSpec(`${HEAD}let d = grad({ sum(x^2), sum(x^4) }, x) with only(1)\nmetric a = d[0]\nmetric b = d[1]`);
    close([m.last('a'), m.last('b')], [4, 32]);
  });
  test('an objective may leave a target alone, not all of them', () => {
    const text = (second: string) => `${HEAD}var y = 1.0
      aggregator both() for (Gs, P) { let (a, b) = Gs; a + b }
      train 1 { update x, y by plain(0.1) minimizing { sum(x^2), ${second} } with both() }`;
    close(runSpec(text('y^2')).values('y'), [0.8]);
    expect(codes(text('sum([1.0, 2.0])'))).toEqual(['OPT411']);
    expect(codes(text('sum(x^4)'))).toEqual(['OPT411']);
  });
});

describe('the pipeline after with', () => {
  const HEAD = `rule plain(lr = 1) for (p, g) { p <- p - lr * g }
    estimator back() for (L, P) { grad(L, P) }
    aggregator first() for (Gs, P) { Gs[0] }
    var x = 1.0
    `;
  const refused = (by: string) => codes(`${HEAD}train 1 { update x by plain() minimizing { x^2, x^3 } with ${by} }`);
  test('has one estimator, then one aggregator', () => {
    expect(refused('back() |> back()')).toEqual(['OPT424']);
    expect(refused('first() |> back()')).toEqual(['OPT424']);
    expect(refused('first() |> first()')).toEqual(['OPT424']);
    expect(refused('back() else back()')).toEqual(['OPT424']);
  });
  test('may be given to a trial as one value', () => {
    const m = runSpec(`${HEAD.replace('var x = 1.0', '')}
      trial t(est: estimator = back()) { var x = 1.0
        train 1 { update x by plain(0.1) minimizing { x^2, x^3 } with est } }
      run a = t()\nrun b = t(back() |> first())`);
    expect(m.value('a/x')).toBeCloseTo(0.5, 10);
    expect(m.value('b/x')).toBeCloseTo(0.8, 10);
  });
  test('backprop needs no use, and is the default', () => {
    const m = runSpec(
      `${HEAD}var y = 1.0\ntrain 3 { update x by plain(0.1) minimizing x^4 with backprop()\nupdate y by plain(0.1) minimizing y^4 }`,
    );
    expect(m.value('x')).toBe(m.value('y'));
  });
  test('does not go with along', () => {
    expect(codes(`${HEAD}train 1 { update x by plain() along x with back() }`)).toEqual(['OPT424']);
  });
});

describe('as an expression', () => {
  const HEAD = `rule plain(lr = 1) for (p, g) { p <- p - lr * g }
    estimator heavy() for (L, P) { state m = zeros_like(P); m <- 0.5 * m + grad(L, P); m }
    var x = 1.0
    `;
  test('in the text of a phase it may keep a state', () => {
    const m = runSpec(`${HEAD}train 2 { update x by plain(0.1) along (grad(x^2, x) with heavy()) + 1 }`);
    let [x, v] = [1, 0];
    for (let k = 0; k < 2; k++) {
      v = 0.5 * v + 2 * x;
      x -= 0.1 * (v + 1);
    }
    expect(m.value('x')).toBeCloseTo(x, 12);
  });
  test('in a fn or an eval it may not', () => {
    expect(codes(`${HEAD}fn d = grad(x^2, x) with heavy()\ntrain 2 { update x by plain(0.1) along d }`)).toEqual([
      'OPT424',
    ]);
    expect(
      codes(`${HEAD}train 1 { update x by plain() minimizing x^2 }\neval { metric d = grad(x^2, x) with heavy() }`),
    ).toEqual(['OPT424']);
  });
  test('of values that are no cells', () => {
    const m = runSpec(`${TWO_SIDED.replace(/ {2}report.*\n/, '')}var u = 1.0
      let v = u * [1.0, 2.0, 3.0]
      let g = grad(sum(v^2), v) with spsa(1)
      sample z ~ normal like v
      metric a = norm(g) > 0`);
    expect(m.last('a')).toBe(1);
  });
});
