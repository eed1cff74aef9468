/** What programs cost, read off their graphs and plans: nothing here is timed. */
import { describe, expect, test } from 'vitest';
import { sizeOf } from '../../../compiler/ir/tensor/graph.ts';
import { isRegion } from '../../../compiler/ops/region.ts';
import type { Node } from '../../../compiler/ops/types.ts';
import { optimizeProgram } from '../../../compiler/passes/program.ts';
import { compile, type Compiled } from '../../../compiler/pipeline.ts';
import { Source } from '../../../compiler/source/source.ts';
import { evaluateAll, readLibrary } from './run-spec.ts';

function compiled(text: string, stage: 'program' | 'bundle'): Compiled {
  const result = compile(new Source('spec.opt', text), {
    readImport: readLibrary(),
    dataInfo: () => undefined,
    set: new Map(),
    stage,
  });
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('\n'));
  return result.value;
}

/** Nodes of a program, those of regions too. */
function nodesOf(program: Compiled['program']): Set<Node> {
  const seen = new Set<Node>();
  const stack = program.entries.flatMap((entry) => [...entry.outputs, ...entry.writes].map(({ value }) => value));
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...node.inputs);
    for (const value of Object.values(node.attrs)) if (isRegion(value)) stack.push(...value.results);
  }
  return seen;
}

/** Multiplications and additions of all products and convolutions of a program after the passes. */
function products(text: string): number {
  const nodes = nodesOf(optimizeProgram(compiled(text, 'program').program));
  let sum = 0;
  for (const { op, inputs, attrs, type } of nodes) {
    if (op !== 'dot_general' && op !== 'conv') continue;
    // A kernel w[…taps, c / groups, o] is contracted over all its axes but the last.
    const contracted =
      op === 'conv'
        ? inputs[1].type.shape.slice(0, -1)
        : (attrs.lhs_contract as number[]).map((axis) => inputs[0].type.shape[axis]);
    sum += 2 * sizeOf(type.shape) * sizeOf(contracted);
  }
  return sum;
}

describe('per-example gradients', () => {
  const nets = {
    convolutions: `use nn { conv2d, linear, relu }
model Net(x: f32[n, h, w, c]) {
  let h = relu(conv2d(x, 6, size: 3))
  linear(reshape(max_pool(relu(conv2d(h, 4, size: 3, stride: 2, dilation: 2)), 2), len(x), -1), 3)
}
frozen xs: f32[8, 10, 10, 2] ~ normal`,
    attention: `use nn { transformer_block, linear }
model Net(x: f32[n, t, d]) { linear(mean(transformer_block(x, heads: 2), axis: 1), 3) }
frozen xs: f32[8, 6, 12] ~ normal`,
  };
  const text = (net: string) => `${net}
let ys = (0..8) mod 3
fn loss(x, y) = mean(sum((Net(x) - onehot(y, 3))^2, axis: 1))
fn one(x, y) = sum((Net(x) - onehot(y, 3))^2)
let warm = loss(xs, ys)
`;
  test.each(Object.entries(nets))('of %s cost about one batched backward pass', (_, net) => {
    const batched = products(`${text(net)}metric m = norm(grad(loss(xs, ys), Net))`);
    const each = products(`${text(net)}metric m = norm(map xs as x, ys as y { grad(one(x, y), Net) })`);
    const forward = products(`${text(net)}metric m = loss(xs, ys)`);
    expect(batched).toBeGreaterThan(2 * forward);
    expect(each / batched).toBeGreaterThan(0.95);
    expect(each / batched).toBeLessThan(1.15);
  });
  test.each(Object.entries(nets))('of %s are those of a loop', (_, net) => {
    const leaves = evaluateAll(
      [
        'norm(flat(grad(loss(xs, ys), Net)) - mean(all, axis: 0))',
        'norm(all[5] - flat(grad(one(xs[5], ys[5]), Net)))',
        'norm(all)',
      ],
      `${text(net)}let all = map xs as x, ys as y { flat(grad(one(x, y), Net)) }\n`,
    );
    expect(leaves[0]).toBeLessThan(1e-10);
    expect(leaves[1]).toBeLessThan(1e-10);
    expect(leaves[2]).toBeGreaterThan(0.1);
  });
});

describe('size of graphs', () => {
  test('of a transformer grows by the same for each layer', () => {
    const text = (depth: number) => `use nn { transformer_block, linear }
use rules { adam }
use losses { cross_entropy }
frozen xs: f32[4, 6, 8] ~ normal
let ys = (0..4) mod 3
model Net(x: f32[n, t, d]) {
  let h[0] = x
  for l in 0..${depth} { let h[l + 1] = transformer_block(h[l], heads: 2, causal: true) as block }
  linear(mean(h[${depth}], axis: 1), 3)
}
train 1 { update Net by adam(1e-3) minimizing mean(cross_entropy(Net(xs), ys)) }`;
    const sizes = [4, 8, 12].map((depth) => {
      const { program } = compiled(text(depth), 'program');
      return [nodesOf(program).size, nodesOf(optimizeProgram(program)).size];
    });
    for (const k of [0, 1]) {
      const [a, b, c] = sizes.map((size) => size[k]);
      expect(c - b).toBe(b - a);
      expect(b - a).toBeGreaterThan(0);
    }
  });
});

describe('memory of scans', () => {
  const bytes = (every: string, over = 'for x in xs') => {
    const text = `use rules { sgd }
var w: f32[256] = 0.5
let xs = sin(f32(0..1000))
fn last = scan h = zeros(256) ${over} ${every} { next tanh(w * h + ${over.startsWith('for') ? 'x' : '1'}) }
train 1 as fit { update w by sgd(0.1) minimizing sum(last^2) }`;
    const { memory } = compiled(text, 'bundle').bundle ?? { memory: { temps: {} as Record<string, number> } };
    return Math.max(...Object.values(memory.temps));
  };
  test('of a run that decides the turns too', () => {
    const until = (every: string) => bytes(every, 'while sum(h) < 1e6 max 1000');
    const [all, kept] = [until(''), until('checkpoint 32')];
    expect(all).toBeGreaterThan(1000 * 4 * 256);
    expect(kept).toBeLessThan((2 * (32 + 32) + 40) * 4 * 256);
  });
  test('a derivative through 1,000 turns keeps as many states as was declared', () => {
    const state = 4 * 256;
    const all = bytes('');
    expect(all).toBeGreaterThan(1000 * state);
    for (const k of [10, 32, 100]) {
      const kept = Math.ceil(1000 / k) + k;
      // the states of the chunks, those of one chunk, and a few values of a turn
      expect(bytes(`checkpoint ${k}`), `checkpoint ${k}`).toBeLessThan((2 * kept + 40) * state);
    }
  });
});
