/** Every rule of the table on an instance of its pattern: it applies, and the result has the same values, special ones included. */
import { describe, expect, it } from 'vitest';
import { Graph } from '../../../compiler/ir/tensor/graph.ts';
import { sizeOf } from '../../../compiler/ops/arrays.ts';
import type { DType, NdArray, Node } from '../../../compiler/ops/types.ts';
import { simplifyRules } from '../../../compiler/passes/simplify-rules.ts';
import { simplify } from '../../../compiler/passes/simplify.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { seededRng } from '../../fuzz/rng.ts';

/** The pattern's value from x: dtype[2, 3] and y: f32[2, 3]. */
type Instance = (g: Graph, x: Node, y: Node) => Node;
interface Example {
  readonly dtype?: DType;
  readonly make: Instance;
}

const splat = (g: Graph, value: number, like: Node) => g.constant(value, like.type);
const twice =
  (op: string, attrs = {}): Instance =>
  (g, x) =>
    g.make(op, [g.make(op, [x], attrs)], attrs);
const reduceNothing = (op: string, dtype: DType = 'f32'): Example => ({
  dtype,
  make: (g, x) => g.make(op, [x], { axes: [] }),
});

/** One or more instances per rule, by its name. */
const examples: Record<string, readonly Example[]> = {
  'a value without elements → a constant': [
    { make: (g, x) => g.make('slice', [x], { start: [0, 1], limit: [2, 1], stride: [1, 1] }) },
  ],
  '-(-x) → x': [{ make: twice('neg') }, { dtype: 'i32', make: twice('neg') }],
  'not not x → x': [
    { dtype: 'bool', make: twice('not') },
    { dtype: 'u32', make: twice('not') },
  ],
  'x * 1 → x, 1 * x → x': [
    { make: (g, x) => g.make('mul', [x, splat(g, 1, x)]) },
    { make: (g, x) => g.make('mul', [splat(g, 1, x), x]) },
  ],
  'x / 1 → x': [{ make: (g, x) => g.make('div', [x, splat(g, 1, x)]) }],
  'x * -1 → -x, -1 * x → -x': [
    { make: (g, x) => g.make('mul', [x, splat(g, -1, x)]) },
    { dtype: 'i32', make: (g, x) => g.make('mul', [splat(g, -1, x), x]) },
  ],
  'x + -0 → x, -0 + x → x (integers: 0)': [
    { make: (g, x) => g.make('add', [x, splat(g, -0, x)]) },
    { make: (g, x) => g.make('add', [splat(g, -0, x), x]) },
    { dtype: 'i32', make: (g, x) => g.make('add', [x, splat(g, 0, x)]) },
  ],
  'x - 0 → x': [{ make: (g, x) => g.make('sub', [x, splat(g, 0, x)]) }],
  'x + -y → x - y': [{ make: (g, x, y) => g.make('add', [x, g.make('neg', [y])]) }],
  'x - -y → x + y': [{ make: (g, x, y) => g.make('sub', [x, g.make('neg', [y])]) }],
  'select(constant, a, b) → a or b': [0, 1].map((value) => ({
    make: (g, x, y) => g.make('select', [g.constant(value, { dtype: 'bool', shape: [2, 3] }), x, y]),
  })),
  'select(c, a, a) → a': [{ make: (g, x, y) => g.make('select', [g.make('lt', [x, y]), x, x]) }],
  'cast to the same dtype → x': [{ make: (g, x) => g.make('cast', [x], { dtype: 'f32' }) }],
  'bitcast to the same dtype → x': [{ dtype: 'u32', make: (g, x) => g.make('bitcast', [x], { dtype: 'u32' }) }],
  'fault_where(x, false) → x': [
    { make: (g, x) => g.make('fault_where', [x, g.constant(0, { dtype: 'bool', shape: [2, 3] })], { message: 'no' }) },
  ],
  'x^1 → x': [{ make: (g, x) => g.make('integer_pow', [x], { exponent: 1 }) }],
  'pow(x, n) → integer_pow': [-2, -1, 0, -0, 1, 2, 3].map((n) => ({
    make: (g, x) => g.make('pow', [x, splat(g, n, x)]),
  })),
  'reduce_sum over no axes → x': [reduceNothing('reduce_sum')],
  'reduce_prod over no axes → x': [reduceNothing('reduce_prod')],
  'reduce_max over no axes → x': [reduceNothing('reduce_max')],
  'reduce_min over no axes → x': [reduceNothing('reduce_min')],
  'reduce_and over no axes → x': [reduceNothing('reduce_and', 'bool')],
  'reduce_or over no axes → x': [reduceNothing('reduce_or', 'u32')],
  'broadcast to the same shape → x': [{ make: (g, x) => g.make('broadcast', [x], { shape: [2, 3], axes: [0, 1] }) }],
  'broadcast(broadcast(x)) → broadcast(x)': [
    {
      make: (g, x) => {
        const inner = g.make('broadcast', [x], { shape: [3, 1, 2], axes: [2, 0] });
        return g.make('broadcast', [inner], { shape: [4, 2, 3, 5], axes: [2, 3, 1] });
      },
    },
  ],
  'reshape to the same shape → x': [{ make: (g, x) => g.make('reshape', [x], { shape: [2, 3] }) }],
  'reshape(reshape(x)) → reshape(x)': [
    { make: (g, x) => g.make('reshape', [g.make('reshape', [x], { shape: [6] })], { shape: [3, 2] }) },
  ],
  'permute in order → x': [{ make: (g, x) => g.make('permute', [x], { axes: [0, 1] }) }],
  'permute(permute(x)) → permute(x)': [
    {
      make: (g, x) => {
        const cube = g.make('broadcast', [x], { shape: [2, 3, 4], axes: [0, 1] });
        return g.make('permute', [g.make('permute', [cube], { axes: [2, 0, 1] })], { axes: [2, 0, 1] });
      },
    },
  ],
  'slice of everything → x': [
    { make: (g, x) => g.make('slice', [x], { start: [0, 0], limit: [2, 3], stride: [1, 1] }) },
  ],
  'pad by nothing → x': [{ make: (g, x) => g.make('pad', [x], { low: [0, 0], high: [0, 0], interior: [0, 0] }) }],
  'concat of one → x': [{ make: (g, x) => g.make('concat', [x], { axis: 0 }) }],
  'flip(flip(x)) → x': [{ make: (g, x) => g.make('flip', [g.make('flip', [x], { axes: [0, 1] })], { axes: [1, 0] }) }],
};

const specials = [NaN, Infinity, -Infinity, 0, -0];

function values(dtype: DType, seed: number): NdArray {
  const rng = seededRng(seed);
  const draw = () => {
    if (dtype === 'f32') return rng.uniform() < 0.5 ? specials[rng.integer(0, 5)] : rng.normal();
    return dtype === 'bool' ? rng.integer(0, 2) : rng.integer(0, 2 ** 31);
  };
  const type = { dtype, shape: [2, 3] };
  return { type, data: Float64Array.from({ length: sizeOf(type.shape) }, draw) };
}

describe('rules keep values', () => {
  it('each rule has a name of its own and an example', () => {
    expect(simplifyRules.map((r) => r.name).sort()).toEqual(Object.keys(examples).sort());
  });

  for (const rule of simplifyRules) {
    it(rule.name, () => {
      for (const { dtype = 'f32', make } of examples[rule.name]) {
        const graph = new Graph();
        const x = graph.parameter('input', 'x', { dtype, shape: [2, 3] });
        const y = graph.parameter('input', 'y', { dtype: 'f32', shape: [2, 3] });
        const before = make(graph, x, y);
        expect(rule.ops).toContain(before.op);
        const after = rule.apply(before, graph);
        if (!after) throw new Error('the rule does not apply to its example');
        expect(after.type).toEqual(before.type);
        for (let seed = 0; seed < 30; seed++) {
          const leaf = (p: Node) => {
            const drawn = values(p.type.dtype, p === x ? seed : seed + 1000);
            // to pow, zeros have no sign
            return rule.name.startsWith('pow') ? { type: drawn.type, data: drawn.data.map((v) => v + 0) } : drawn;
          };
          const [a, b] = evaluate([before, after], leaf);
          // powers may differ in the last digit, everything else in nothing
          b.data.forEach((v, i) => {
            if (rule.name.startsWith('pow') && Number.isFinite(v)) expect(v / a.data[i] || 1).toBeCloseTo(1, 13);
            else expect(v).toBe(a.data[i]);
          });
        }
      }
    });
  }
});

describe('what is not simplified', () => {
  const graph = new Graph();
  const x = graph.parameter('input', 'x', { dtype: 'f32', shape: [2, 3] });
  const kept: Record<string, Node> = {
    '0 * x, which is NaN for NaN': graph.make('mul', [graph.constant(0, x.type), x]),
    'x + 0, which is 0 for -0': graph.make('add', [x, graph.constant(0, x.type)]),
    'x - x': graph.make('sub', [x, x]),
    'x / x': graph.make('div', [x, x]),
    'pow(x, 1/2), which is inf at -inf': graph.make('pow', [x, graph.constant(0.5, x.type)]),
  };
  for (const [name, node] of Object.entries(kept)) {
    it(name, () => expect(simplify.run(graph, [node])[0]).toBe(node));
  }
});
