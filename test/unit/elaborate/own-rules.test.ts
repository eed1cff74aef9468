/** Rules that the library does not have, written in files of the user: they have the standing of `adam`, with nothing else changed. */
import { expect, test } from 'vitest';
import { runSpec } from './run-spec.ts';

const STEPS = 25;
/** Gradient of sum(c * x^2), c = (1, 2, 3). */
const gradient = (x: readonly number[]) => x.map((v, i) => 2 * (i + 1) * v);

const files = {
  './mine.opt': `// Lion (Chen et al., 2023): the sign of an interpolated momentum.
rule lion(lr = 1e-4, b1 = 0.9, b2 = 0.99, wd = 0) for (p, g) {
  state m = zeros_like(p)
  p <- p - lr * (sign(b1 * m + (1 - b1) * g) + wd * p)
  m <- b2 * m + (1 - b2) * g
}

// Sign descent (Bernstein et al., 2018).
rule signsgd(lr = 1e-2) for (p, g) { p <- p - lr * sign(g) }

// A step of fixed length along the gradient of the whole tree: a rule that sees all leaves at once.
rule normed(lr = 1e-2) for tree (P, G) { P <- P - lr * G / norm(G) }
`,
};

const spec = (name: string, by: string) => `use "./mine.opt" { ${name} }
use rules { clip }
let c = [1.0, 2.0, 3.0]
var x: f32[3] = [1.5, -0.7, 0.3]
train ${STEPS} { update x by ${by} minimizing sum(c * x^2) }
`;

function compare(text: string, update: (x: number[], g: number[]) => number[]): void {
  let x = [1.5, -0.7, 0.3];
  for (let k = 0; k < STEPS; k++) x = update(x, gradient(x));
  runSpec(text, { files })
    .values('x')
    .forEach((v, i) => expect(v).toBeCloseTo(x[i], 11));
}

test('lion, behind a rule of the library', () => {
  const m = [0, 0, 0];
  compare(spec('lion', 'clip(1.0) |> lion(lr: 0.01, wd: 0.1)'), (x, all) => {
    const norm = Math.hypot(...all);
    const g = all.map((v) => v * Math.min(1, 1 / norm));
    return x.map((p, i) => {
      const next = p - 0.01 * (Math.sign(0.9 * m[i] + 0.1 * g[i]) + 0.1 * p);
      m[i] = 0.99 * m[i] + 0.01 * g[i];
      return next;
    });
  });
});

test('signsgd', () => {
  compare(spec('signsgd', 'signsgd(0.013)'), (x, g) => x.map((p, i) => p - 0.013 * Math.sign(g[i])));
});

test('a rule for the tree', () => {
  compare(spec('normed', 'normed(0.05)'), (x, g) => x.map((p, i) => p - (0.05 * g[i]) / Math.hypot(...g)));
});
