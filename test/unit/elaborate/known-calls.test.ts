/** A fn that reads only its arguments is elaborated once for arguments of the same types and copied afterwards: values, derivatives and draws are those of calls of their own. */
import { describe, expect, test } from 'vitest';
import { reachable } from '../../../compiler/ir/tensor/graph.ts';
import type { Node } from '../../../compiler/ops/types.ts';
import { compileSpec, runSpec } from './run-spec.ts';

const last = (text: string, ...names: string[]): number[] => {
  const run = runSpec(text);
  return names.map((name) => run.last(name));
};
const close = (found: readonly number[], wanted: readonly number[]) =>
  found.forEach((value, i) => expect(value).toBeCloseTo(wanted[i], 11));
const ROOT = `fn root(a, b) {
  var x = b
  repeat 30 { x <- 0.5 * (x + a / x) }
  x
}`;

describe('what is copied', () => {
  test('loops and local variables, on other arguments', () => {
    const text = `${ROOT}\nvar p = 2.0\nvar q = 9.0
metric a = root(p, p)\nmetric b = root(q, q)\nmetric c = root(q, p)\nmetric d = root(p * q, q)`;
    close(last(text, 'a', 'b', 'c', 'd'), [Math.SQRT2, 3, 3, Math.sqrt(18)]);
  });
  test('the same argument twice is no two arguments', () => {
    const text = `fn f(a, b) = a^2 * b\nvar p = 2.0\nvar q = 5.0
metric a = f(p, p)\nmetric b = f(p, q)\nmetric c = f(q, p)\nmetric d = f(q, q)\nmetric e = grad(f(p, q), p)\nmetric g = grad(f(p, p), p)`;
    close(last(text, 'a', 'b', 'c', 'd', 'e', 'g'), [8, 20, 50, 125, 20, 12]);
  });
  test('gradient clauses, first and second derivatives', () => {
    const text = `fn f(x: f32[n]) { let y = x^2; stop(y) } gradient g -> 3 * g * y
var p: f32[2] = [2, 3]\nvar q: f32[2] = [5, 7]
let gp = grad(sum(f(p)), p)\nlet gq = grad(sum(f(q)), q)\nlet both = grad(sum(f(p) * f(q)), q)
metric a = gp[1]\nmetric b = gq[1]\nmetric c = both[0]\nmetric d = grad(grad(sum(f(q)), q)[1], q)[1]`;
    close(last(text, 'a', 'b', 'c', 'd'), [27, 147, 300, 42]);
  });
  test('gradient clauses within a loop, of a call that was first elaborated outside', () => {
    const text = `use linalg { eigh, eigmin }\nvar A: f32[2, 2] = [[2, 1], [1, 3]]\nvar s = 1.0
train 1 { let low = eigmin(A)\nwhile s < 20 max 2 { let (w, Q) = eigh(s * A)\ns <- s + w[0] + low }\n}
metric s = s`;
    const low = (5 - Math.sqrt(5)) / 2;
    close(last(text, 's'), [(1 + 2 * low) * (1 + low) + low]);
  });
  test('numbers that are known, conditions and loops that are looked at', () => {
    const text = `fn power(x, n: dim) { var y = 1.0 * x / x\nrepeat n { y <- y * x }\ny }
fn bent(x) = if x > 1 { power(x, 2) } else { power(x, 3) }
var s = 0.0\nvar t = 2.0
train 4 { repeat 20 { s <- s + bent(t) + bent(0.5 * t)\nt <- 1.01 * t } }
metric s = s\nmetric t = t`;
    let s = 0;
    let t = 2;
    const bent = (x: number) => (x > 1 ? x ** 2 : x ** 3);
    for (let i = 0; i < 80; i++) {
      s += bent(t) + bent(0.5 * t);
      t *= 1.01;
    }
    const [a, b] = last(text, 's', 't');
    expect(a / s).toBeCloseTo(1, 11);
    expect(b).toBeCloseTo(t, 11);
  });
  test('a call in a run is no part of another run', () => {
    const text = `${ROOT}\ntrial roots(p) { var x = p\ntrain 3 { x <- root(x, x) }\nmetric x = x }
run a = roots(256.0)\nrun b = roots(6561.0)`;
    close(last(text, 'a/x', 'b/x'), [2, 3]);
  });
  test('copies of a closed loop share its body; a pass parts them', () => {
    const loops = (text: string): Node[] => {
      const { program } = compileSpec(text);
      const roots = program.entries.flatMap((entry) => [...entry.writes, ...entry.outputs].map((x) => x.value));
      return reachable(roots).filter((node) => node.op === 'loop');
    };
    const [a, b] = loops(`${ROOT}\nvar p = 2.0\nvar q = 9.0\nmetric a = root(p, 1.5 * p)\nmetric b = root(q, 1.5 * q)`);
    expect(a.attrs.body).toBe(b.attrs.body);
  });
});

describe('a loop and a copy of it with other inputs', () => {
  const two = `fn two(a) {
  let (x, y) = scan (x, y) = (a, 1.0) for i in 0..40 { next (0.9 * x, 0.5 * y + x) }
  y
}`;
  const slope = (0.9 ** 40 - 0.5 ** 40) / 0.4;
  test('by at: derivatives by what either reads', () => {
    const text = `${two}\nvar p = 2.0\nvar q = 5.0\nvar s = 0.5
train 1 { let y = two(s * p)
let both = 100 * y + (y at { p: q })
report byp = grad(both, p), byq = grad(both, q), bys = grad(both, s) }`;
    close(last(text, 'byp', 'byq', 'bys'), [50 * slope, 0.5 * slope, (100 * 2 + 5) * slope]);
  });
  test('by two calls', () => {
    const text = `${two}\nvar p = 2.0\nvar q = 5.0
train 1 { let both = 100 * two(p) + two(q)
report byp = grad(both, p), byq = grad(both, q) }`;
    close(last(text, 'byp', 'byq'), [100 * slope, slope]);
  });
});

describe('what is elaborated for each call', () => {
  test('a fn that reads a variable reads it as it is', () => {
    const text = `var s = 2.0\nvar u = 0.0\nvar v = 0.0\nfn f(x) = x * s
train 1 { u <- f(u + 1)\ns <- 5\nv <- f(v + 1) }\nmetric u = u\nmetric v = v`;
    close(last(text, 'u', 'v'), [2, 5]);
  });
  test('a fn that writes a variable writes it each time', () => {
    const text = `var s = 0.0\nvar u = 0.0\nfn f(x) { s <- s + x\n2 * x }
train 1 { let a = f(u + 1)\nlet b = f(u + 3)\nu <- a + b }\nmetric u = u\nmetric s = s`;
    close(last(text, 'u', 's'), [8, 4]);
  });
  test('draws differ from call to call', () => {
    const [a, b] = last(
      `fn f(x) { sample z ~ normal f32\nx + z }\nvar p = 1.0\nmetric a = f(p)\nmetric b = f(p)`,
      'a',
      'b',
    );
    expect(a).not.toBe(b);
  });
  test('derivatives and replacements inside', () => {
    const text = `var s = 3.0\nfn slope(x) = grad(x^3 * s, x)\nfn turned(x) = (x^2) at { x: x + 1 }
metric a = slope(2.0 * s)\nmetric b = slope(s)\nmetric c = turned(1.0 * s)\nmetric d = turned(2.0 * s)`;
    close(last(text, 'a', 'b', 'c', 'd'), [3 * 36 * 3, 3 * 9 * 3, 16, 49]);
  });
});
