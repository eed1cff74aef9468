/** Update rules of the library against plain float64 code; pipelines, counts, states. */
import { describe, expect, test } from 'vitest';
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
