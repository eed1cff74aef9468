/** Update rules of the library against plain float64 code; pipelines, counts, states. */
import { describe, expect, test } from 'vitest';
import { reachable } from '../../../compiler/ir/tensor/graph.ts';
import { compileSpec, errorsOf, runSpec } from './run-spec.ts';

const STEPS = 20;
const start = [1.5, -0.7, 0.3];
/** Gradient of sum(c * x^2 + sin(x)), c = (1, 2, 3). */
const gradient = (x: readonly number[]) => x.map((v, i) => 2 * (i + 1) * v + Math.cos(v));

function spec(
  rule: string,
  inside = `update x by ${rule} minimizing sum(c * x^2 + sin(x))`,
  names = 'sgd, adam, adamw, rmsprop, adagrad, clip, clip_value, decay, shrink',
): string {
  return `use rules { ${names} }\nlet c = [1.0, 2.0, 3.0]\nvar x: f32[3] = [1.5, -0.7, 0.3]\ntrain ${STEPS} { ${inside} }`;
}

function trajectory(update: (x: number[], g: number[], k: number) => number[], steps = STEPS): number[] {
  let x = [...start];
  for (let k = 1; k <= steps; k++) x = update(x, gradient(x), k);
  return x;
}

function compare(text: string, wanted: readonly number[]): void {
  const found = runSpec(text).values('x');
  found.forEach((v, i) => expect(v).toBeCloseTo(wanted[i], 11));
}

describe('rules follow their formulas over 20 steps', () => {
  test('a warm-up divides the count by a number', () =>
    compare(
      `rule warm(lr = 0.1, n = 10) for (p, g) { p <- p - lr * min(1, k / n) * g }\n${spec('warm()', undefined, 'sgd')}`.replace(
        'use rules { sgd }\n',
        '',
      ),
      trajectory((x, g, k) => x.map((v, i) => v - 0.1 * Math.min(1, k / 10) * g[i])),
    ));
  test('sgd', () =>
    compare(
      spec('sgd(0.05)'),
      trajectory((x, g) => x.map((v, i) => v - 0.05 * g[i])),
    ));
  test('momentum and nesterov', () => {
    for (const nesterov of [0, 1]) {
      const m = [0, 0, 0];
      const wanted = trajectory((x, g) =>
        x.map((v, i) => {
          m[i] = 0.9 * m[i] + g[i];
          return v - 0.01 * (nesterov ? g[i] + 0.9 * m[i] : m[i]);
        }),
      );
      compare(spec(`sgd(0.01, momentum: 0.9, nesterov: ${nesterov})`), wanted);
    }
  });
  test('adam and adamw', () => {
    for (const decay of [0, 0.01]) {
      const m = [0, 0, 0];
      const s = [0, 0, 0];
      const wanted = trajectory((x, g, k) =>
        x.map((v, i) => {
          m[i] = 0.9 * m[i] + 0.1 * g[i];
          s[i] = 0.999 * s[i] + 0.001 * g[i] ** 2;
          const step = m[i] / (1 - 0.9 ** k) / (Math.sqrt(s[i] / (1 - 0.999 ** k)) + 1e-8);
          return v - 0.02 * (step + decay * v);
        }),
      );
      compare(spec(decay ? 'adamw(0.02, decay: 0.01)' : 'adam(0.02)'), wanted);
    }
  });
  test('rmsprop and adagrad', () => {
    const v1 = [0, 0, 0];
    compare(
      spec('rmsprop(0.01)'),
      trajectory((x, g) =>
        x.map((v, i) => {
          v1[i] = 0.9 * v1[i] + 0.1 * g[i] ** 2;
          return v - (0.01 * g[i]) / (Math.sqrt(v1[i]) + 1e-8);
        }),
      ),
    );
    const v2 = [0, 0, 0];
    compare(
      spec('adagrad(0.1)'),
      trajectory((x, g) =>
        x.map((v, i) => {
          v2[i] += g[i] ** 2;
          return v - (0.1 * g[i]) / (Math.sqrt(v2[i]) + 1e-10);
        }),
      ),
    );
  });
  test('pipelines: clip over the whole tree, clip_value, decay before and shrink after', () => {
    compare(
      spec('clip(1) |> sgd(0.1)'),
      trajectory((x, g) => {
        const scale = Math.min(1, 1 / Math.hypot(...g));
        return x.map((v, i) => v - 0.1 * scale * g[i]);
      }),
    );
    compare(
      spec('clip_value(0.5) |> sgd(0.1)'),
      trajectory((x, g) => x.map((v, i) => v - 0.1 * Math.max(-0.5, Math.min(0.5, g[i])))),
    );
    compare(
      spec('decay(0.1) |> sgd(0.1)'),
      trajectory((x, g) => x.map((v, i) => v - 0.1 * (g[i] + 0.1 * v))),
    );
    compare(
      spec('sgd(0.1) |> shrink(0.1)'),
      trajectory((x, g) => x.map((v, i) => (v - 0.1 * g[i]) * 0.9)),
    );
  });
});

describe('choices at run time in a rule', () => {
  const text = (mu: string) =>
    `use rules { sgd }\nlet c = [1.0, 2.0, 3.0]\nhyper mu = ${mu}\nvar x: f32[3] = [1.5, -0.7, 0.3]\ntrain ${STEPS} { update x by sgd(0.01, momentum: mu) minimizing sum(c * x^2 + sin(x)) }`;
  const momentum = (mu: (step: number) => number) => {
    const m = [0, 0, 0];
    return trajectory((x, g, k) =>
      x.map((v, i) => {
        if (mu(k - 1) === 0) return v - 0.01 * g[i];
        m[i] = mu(k - 1) * m[i] + g[i];
        return v - 0.01 * m[i];
      }),
    );
  };
  test('take the branch of the step, states included', () => {
    compare(
      text('0.9'),
      momentum(() => 0.9),
    );
    compare(
      text('0'),
      momentum(() => 0),
    );
    compare(
      text('0.5 * (step mod 2)'),
      momentum((step) => 0.5 * (step % 2)),
    );
  });
  test('every inside a rule keeps p, g and states apart', () => {
    const m = runSpec(`rule lazy(lr = 1) for (p, g) {
  state sum = zeros_like(p)
  sum <- sum + g
  every 3 {
    p <- p - lr * sum
    sum <- zeros_like(sum)
  }
}
var x: f32 = 0
train 7 { update x by lazy(1) minimizing -x }`);
    // gradient -1 at each step: applied at updates 1, 4 and 7
    expect(m.value('x')).toBe(7);
  });
});

describe('directions', () => {
  test('maximizing climbs, along descends', () => {
    compare(
      spec('', 'update x by sgd(0.05) maximizing -sum(c * x^2 + sin(x))'),
      trajectory((x, g) => x.map((v, i) => v - 0.05 * g[i])),
    );
    compare(
      spec('', 'let d = grad(sum(c * x^2 + sin(x)), x)\n update x by sgd(0.05) along 2 * d'),
      trajectory((x, g) => x.map((v, i) => v - 0.1 * g[i])),
    );
  });
});

describe('counts', () => {
  const adam = (steps: number) => {
    const m = [0, 0, 0];
    const s = [0, 0, 0];
    return trajectory(
      (x, g, k) =>
        x.map((v, i) => {
          m[i] = 0.9 * m[i] + 0.1 * g[i];
          s[i] = 0.999 * s[i] + 0.001 * g[i] ** 2;
          return v - (0.02 * (m[i] / (1 - 0.9 ** k))) / (Math.sqrt(s[i] / (1 - 0.999 ** k)) + 1e-8);
        }),
      steps,
    );
  };
  const update = 'update x by adam(0.02) minimizing sum(c * x^2 + sin(x))';
  test('k counts the updates of a statement inside every', () => compare(spec('', `every 3 { ${update} }`), adam(7)));
  test('k counts the updates of a statement inside repeat', () =>
    compare(spec('', `repeat 2 { ${update} }`), adam(40)));
  test('every inside repeat counts its turns', () =>
    compare(spec('', `repeat 3 as i { every 2 { ${update} } }`), adam(40)));
});

describe('states', () => {
  test('one for each statement and cell, in groups of one order; none where momentum is 0', () => {
    const program = compileSpec(`use nn { linear }
use rules { sgd, adam }
model Net(x: f32[n, 3]) { linear(linear(x, 2) as hidden, 1) }
var v: f32[1, 3] = 1
train 1 {
  update Net by adam(1e-3) minimizing sum(Net(v))
}
train 1 { update Net by sgd(0.1) minimizing sum(Net(v)) }`).program;
    const ids = program.cells.map((c) => c.id);
    expect(ids).toContain('Net.hidden.W#adam.m');
    expect(ids.filter((id) => id.includes('#sgd'))).toEqual([]);
    const leaves = program.cells.filter((c) => c.group === 'Net').map((c) => c.id);
    expect(leaves).toEqual(['Net.hidden.W', 'Net.hidden.b', 'Net.linear_0.W', 'Net.linear_0.b']);
    const m = program.cells.filter((c) => c.id.endsWith('#adam.m'));
    expect(new Set(m.map((c) => c.group)).size).toBe(1);
    expect(m.map((c) => c.id)).toEqual(leaves.map((id) => `${id}#adam.m`));
  });
  test('rules of the file: leaf shapes, state of any shape, every, reports', () => {
    const m = runSpec(`rule rows(lr = 0.5) for (p: f32[r, c], g) {
  state last: f32[r] = 0
  every 2 { last <- sum(g, axis: 1) }
  report rowmax = max(last)
  p <- p - lr * g / c
}
var w: f32[2, 3] = 1
train 2 { update w by rows() minimizing sum(w^2) }`);
    // gradients 2w: rows sum to 6 at w = 1; w becomes 1 - 0.5 * 2 / 3, then the same factor again
    expect(m.all('rowmax')).toEqual([6, 6]);
    expect(m.values('w')[0]).toBeCloseTo((2 / 3) ** 2, 12);
  });
  test('a pipeline that writes nothing is refused', () => {
    expect(errorsOf(spec('clip(1)'))[0].code).toBe('OPT413');
  });
});

describe('alternatives of a pipeline', () => {
  const rules = `rule wide(lr = 0.1) for (p: f32[m, n], g) { p <- p - lr * g }
rule square(lr = 1) for (p: f32[n, n], g) { p <- p - lr * g }
rule half() for (p, g) { state c = 0.0; c <- c + 1; p <- 0.5 * p + 0 * c }
rule cap(c = 1) for tree (P, G) { state seen = 0.0; seen <- norm(G); G <- G * min(1, c / max(norm(G), 1e-12)) }
`;
  const cells = 'var a: f32[2, 2] = 1\nvar b: f32[2, 3] = 1\nvar c: f32[4] = 1\n';
  const loss = 'sum(a^2) / 2 + sum(b^2) / 2 + sum(c^2) / 2';
  test('serve leaves by shape; |> after it belongs to each', () => {
    const m = runSpec(
      `${rules}${cells}train 1 { update a, b, c by square(0.5) else wide() else half minimizing ${loss} }`,
    );
    expect([m.value('a'), m.value('b'), m.value('c')]).toEqual([0.5, 0.9, 0.5]);
    const named = runSpec(`${rules}use rules { shrink }
${cells}trial t(r: rule) { var c: f32[4] = 1
var b: f32[2, 3] = 1
train 1 { update b, c by r |> shrink(0.5) minimizing sum(b^2) / 2 + sum(c^2) / 2 } }
run one = t(wide() else half)`);
    expect([named.value('one/b'), named.value('one/c')]).toEqual([0.45, 0.25]);
  });
  test('tree rules see the leaves of their alternative, with states of their own', () => {
    const m = runSpec(
      `${rules}${cells}train 1 { update b, c by cap(1) |> wide(1) else cap(0.5) |> half minimizing ${loss} }`,
    );
    expect(m.value('b')).toBeCloseTo(1 - 1 / Math.sqrt(6), 12);
    expect([...m.cells.keys()].filter((k) => k.endsWith('.seen')).length).toBe(2);
  });
  test('a leaf that none takes is an error', () => {
    expect(
      errorsOf(`${rules}${cells}train 1 { update a, b, c by square() else wide() minimizing ${loss} }`)[0],
    ).toMatchObject({
      code: 'OPT427',
    });
  });
});

describe('rules that look at the objective', () => {
  // Backtracking by Armijo's condition, with the steps tried at once.
  const search = `rule search(steps: dim = 12) for tree (P, G; L) {
  let h[0] = 1.0
  for i in 0..steps {
    let Q = P - h[i] * G
    let h[i + 1] = where((L at { P: Q }) <= L - 0.1 * h[i] * dot(G, G), h[i], h[i] / 2)
  }
  P <- P - h[steps] * G
}
`;
  test('a line search takes the first step that is good enough', () => {
    const m = runSpec(`${search}var x: f32 = 2
var y: f32[2] = 1
train 3 { update x, y by search() minimizing 3 * x^2 + sum(y^4)
 report x }`);
    let [x, y] = [2, 1];
    const f = (a: number, b: number) => 3 * a * a + 2 * b ** 4;
    for (let k = 0; k < 3; k++) {
      const [gx, gy] = [6 * x, 4 * y ** 3];
      const square = gx * gx + 2 * gy * gy;
      let h = 1;
      for (let i = 0; i < 12 && f(x - h * gx, y - h * gy) > f(x, y) - 0.1 * h * square; i++) h /= 2;
      [x, y] = [x - h * gx, y - h * gy];
      expect(m.all('x')[k]).toBeCloseTo(x, 12);
    }
  });
  test('maximized objectives are descended with their sign; P after a write still names the cells; a direction alone has none', () => {
    const m = runSpec(`${search}var x: f32 = 2
train 1 { update x by search() maximizing -x^2 }
rule probe() for tree (P, G; L) { P <- P - 0.1 * G; let here = L; let there = L at { P: P }; P <- P + 0 * (here + there); report here, there; report slope = grad(L at { P: 2 * P }, P) }
var z: f32 = 1
train 1 { update z by probe() minimizing z^2 }`);
    expect(m.value('x')).toBeCloseTo(0, 12);
    expect(m.last('here')).toBe(1);
    expect(m.last('there')).toBeCloseTo(0.64, 12);
    expect(errorsOf(`${search}var x: f32 = 2\ntrain 1 { update x by search() along x }`)[0].code).toBe('OPT311');
  });
});

describe('pure steps of rules', () => {
  test('follow the trajectory of the statement, on values and on trees', () => {
    const inside = Array.from(
      { length: 4 },
      (_, i) => `let (q${i + 1}, s${i + 1}) = adam(0.1).step(q${i}, grad(f(q${i}), q${i})${i > 0 ? `, s${i}` : ''})`,
    );
    const m = runSpec(`use rules { adam }
fn f(p) = sum(sin(p.a)) + sum(p.b^2)
var a: f32[2] = [0.3, 1.0]
var b: f32 = 2
let q0 = { a: a, b: b }
${inside.join('\n')}
metric pa = sum(q4.a)
metric pb = q4.b
metric count = s4.k
var c: f32[2] = [0.3, 1.0]
var d: f32 = 2
train 4 { update c, d by adam(0.1) minimizing sum(sin(c)) + sum(d^2) }
metric wa = sum(c)
metric wb = d`);
    expect(m.last('pa')).toBeCloseTo(m.last('wa'), 12);
    expect(m.last('pb')).toBeCloseTo(m.last('wb'), 12);
    expect(m.last('count')).toBe(5);
  });
  test('derivatives pass through a step', () => {
    // q = x - lr * 2 x, d q^2 / d lr = 2 q * -2 x, d q^2 / dx = 2 q (1 - 2 lr)
    const m = runSpec(`use rules { sgd }
var x: f32 = 3
var lr: f32 = 0.1
let (q, s) = sgd(lr, momentum: 0.9).step(x, grad(x^2, x))
let (r, t) = sgd(lr, momentum: 0.9).step(q, grad(q^2, q), s)
metric by_rate = grad(q^2, lr)
metric by_start = grad(q^2, x)
metric after = r`);
    expect(m.last('by_rate')).toBeCloseTo(2 * 2.4 * -6, 12);
    expect(m.last('by_start')).toBeCloseTo(2 * 2.4 * 0.8, 12);
    expect(m.last('after')).toBeCloseTo(2.4 - 0.1 * (0.9 * 6 + 4.8), 12);
  });
  test('wrong arguments', () => {
    const step = (call: string) =>
      errorsOf(`use rules { sgd, clip }\nvar x: f32 = 3\nlet r = ${call}\nmetric m = x`)[0].code;
    expect(step('sgd(0.1).step(x)')).toBe('OPT311');
    expect(step('sgd(0.1).step(x, zeros(2))')).toBe('OPT313');
    expect(step('sgd(0.1).step(x, x, x)')).toBe('OPT313');
    expect(step('clip(0.1).step(x, x)')).toBe('OPT413');
  });
});

describe('arguments by name', () => {
  test('a rate that follows the step is elaborated once for all leaves', () => {
    const text = (rate: string) => `use rules { sgd }
var a: f32[2] = 1
var b: f32[3] = 1
var c: f32 = 1
train 4 { update a, b, c by sgd(${rate}, momentum: 0.9) minimizing sum(a^2) + sum(b^2) + c^2 }`;
    const cosines = (spec: string) => {
      const { entries } = compileSpec(spec).program;
      return reachable(entries.flatMap((entry) => entry.writes.map((w) => w.value))).filter((n) => n.op === 'cos')
        .length;
    };
    expect(cosines(text('0.1 * cos(progress)'))).toBe(1);
    // what reads a cell is evaluated at each use
    expect(cosines(text('0.1 * cos(c)'))).toBe(3);
  });
  test('a rate that reads a cell reads it as it is at each use', () => {
    const m = runSpec(`rule own(lr) for (p, g) { p <- p - lr * g }
var x: f32 = 2
var y: f32 = 2
var rate: f32 = 0.1
train 1 {
  update x by own(rate) minimizing x^2
  rate <- 2 * rate
  update y by own(rate) minimizing y^2
}`);
    expect(m.values('x')[0]).toBeCloseTo(2 - 0.1 * 4, 12);
    expect(m.values('y')[0]).toBeCloseTo(2 - 0.2 * 4, 12);
  });
});
