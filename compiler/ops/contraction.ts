/** The one contraction: products summed over shared axes, with shared batch axes, as StableHLO's dot_general. */
import { drawArray, drawOrder, drawShape, ints, need, permuted, range, shapeText, sizeOf, wrap } from './arrays.ts';
import { named, numeric } from './elementwise.ts';
import { addDefined, Terms } from './terms.ts';
import type { Attrs, NdArray, Node, OpDef } from './types.ts';

/** Which axes of the operands are contracted (pairwise), batched (pairwise) and free (ascending). */
export interface DotAxes {
  readonly lhsContract: readonly number[];
  readonly rhsContract: readonly number[];
  readonly lhsBatch: readonly number[];
  readonly rhsBatch: readonly number[];
  readonly lhsFree: readonly number[];
  readonly rhsFree: readonly number[];
}

/** Axes of a dot_general with operands of these ranks. */
export function dotAxes(attrs: Attrs, lhsRank: number, rhsRank: number): DotAxes {
  const [lhsContract, rhsContract, lhsBatch, rhsBatch] = ['lhs_contract', 'rhs_contract', 'lhs_batch', 'rhs_batch'].map(
    (name) => ints(attrs, name),
  );
  const free = (rank: number, used: readonly number[]) => range(rank).filter((a) => !used.includes(a));
  return {
    lhsContract,
    rhsContract,
    lhsBatch,
    rhsBatch,
    lhsFree: free(lhsRank, [...lhsContract, ...lhsBatch]),
    rhsFree: free(rhsRank, [...rhsContract, ...rhsBatch]),
  };
}

function dot(
  t: Terms,
  lhs: Node,
  rhs: Node,
  lhsContract: readonly number[],
  rhsContract: readonly number[],
  lhsBatch: readonly number[],
  rhsBatch: readonly number[],
): Node {
  return t.b.make('dot_general', [lhs, rhs], {
    lhs_contract: lhsContract,
    rhs_contract: rhsContract,
    lhs_batch: lhsBatch,
    rhs_batch: rhsBatch,
  });
}

/** Order of axes that undoes "axis i of the value is axis `order[i]` of the target". */
const inverse = (order: readonly number[]) => order.map((_, a) => order.indexOf(a));

/** `axes` in ascending order of their partners. */
function sortedBy(axes: readonly number[], partners: readonly number[]): readonly number[] {
  return range(axes.length)
    .sort((i, j) => partners[i] - partners[j])
    .map((i) => axes[i]);
}

const dotGeneral: Omit<OpDef, 'name'> = {
  about:
    'Sum of products over the axes {lhs_contract} and {rhs_contract}, pairwise, separately for each index of the axes {lhs_batch} and {rhs_batch}. Result axes: batch, free axes of the left, free axes of the right.',
  arity: 2,
  infer: ([lhs, rhs], attrs) => {
    const axes = dotAxes(attrs, lhs.shape.length, rhs.shape.length);
    const check = (mine: readonly number[], rank: number) => {
      need(new Set(mine).size === mine.length, () => `dot_general names an axis twice: ${shapeText(mine)}`);
      need(
        mine.every((a) => a >= 0 && a < rank),
        () => `dot_general names an axis outside rank ${rank}: ${shapeText(mine)}`,
      );
    };
    check([...axes.lhsContract, ...axes.lhsBatch], lhs.shape.length);
    check([...axes.rhsContract, ...axes.rhsBatch], rhs.shape.length);
    const pair = (a: readonly number[], b: readonly number[]) =>
      need(
        a.length === b.length && a.every((axis, i) => lhs.shape[axis] === rhs.shape[b[i]]),
        () =>
          `axes ${shapeText(a)} of ${shapeText(lhs.shape)} and ${shapeText(b)} of ${shapeText(rhs.shape)} do not match`,
      );
    pair(axes.lhsContract, axes.rhsContract);
    pair(axes.lhsBatch, axes.rhsBatch);
    return {
      dtype: numeric.result([lhs.dtype, rhs.dtype], attrs),
      shape: [
        ...axes.lhsBatch.map((a) => lhs.shape[a]),
        ...axes.lhsFree.map((a) => lhs.shape[a]),
        ...axes.rhsFree.map((a) => rhs.shape[a]),
      ],
    };
  },
  reference: ([lhs, rhs], attrs, type) => {
    const x = dotAxes(attrs, lhs.type.shape.length, rhs.type.shape.length);
    const size = (array: NdArray, axes: readonly number[]) => sizeOf(axes.map((a) => array.type.shape[a]));
    const [batches, m, n, k] = [
      size(lhs, x.lhsBatch),
      size(lhs, x.lhsFree),
      size(rhs, x.rhsFree),
      size(lhs, x.lhsContract),
    ];
    const a = permuted(lhs, [...x.lhsBatch, ...x.lhsFree, ...x.lhsContract]); // [batch, m, k]
    const b = permuted(rhs, [...x.rhsBatch, ...x.rhsContract, ...x.rhsFree]); // [batch, k, n]
    const out = new Float64Array(batches * m * n);
    const times = type.dtype === 'f32' ? undefined : Math.imul;
    for (let row = 0; row < batches * m; row++) {
      const batch = Math.floor(row / m);
      for (let p = 0; p < k; p++) {
        const left = a[row * k + p];
        const from = (batch * k + p) * n;
        for (let j = 0; j < n; j++) {
          out[row * n + j] = times
            ? wrap(type.dtype, out[row * n + j] + times(left, b[from + j]))
            : out[row * n + j] + left * b[from + j];
        }
      }
    }
    return { type, data: out };
  },
  // With result axes (batch, m, n): d lhs = g contracted with rhs over n, d rhs = lhs contracted with g over m. The operand whose
  // free axes come first in what is asked goes left, so that matrices need no permute in any layout.
  vjp: ({ b, node, inputs: [lhs, rhs] }, g) => {
    const t = new Terms(b);
    const x = dotAxes(node.attrs, lhs.type.shape.length, rhs.type.shape.length);
    const batch = range(x.lhsBatch.length);
    const ofLhs = range(x.lhsFree.length).map((i) => batch.length + i);
    const ofRhs = range(x.rhsFree.length).map((i) => batch.length + ofLhs.length + i);
    const precedes = (a: readonly number[], c: readonly number[]) => Math.max(-1, ...a) < Math.min(Infinity, ...c);
    const byRhs = sortedBy(x.lhsContract, x.rhsContract);
    const byLhs = sortedBy(x.rhsContract, x.lhsContract);
    const dLhs = precedes(x.lhsFree, x.lhsContract)
      ? t.permute(dot(t, g, rhs, ofRhs, x.rhsFree, batch, x.rhsBatch), inverse([...x.lhsBatch, ...x.lhsFree, ...byRhs]))
      : t.permute(
          dot(t, rhs, g, x.rhsFree, ofRhs, x.rhsBatch, batch),
          inverse([...x.lhsBatch, ...byRhs, ...x.lhsFree]),
        );
    const dRhs = precedes(x.rhsFree, x.rhsContract)
      ? t.permute(dot(t, g, lhs, ofLhs, x.lhsFree, batch, x.lhsBatch), inverse([...x.rhsBatch, ...x.rhsFree, ...byLhs]))
      : t.permute(
          dot(t, lhs, g, x.lhsFree, ofLhs, x.lhsBatch, batch),
          inverse([...x.rhsBatch, ...byLhs, ...x.rhsFree]),
        );
    return [dLhs, dRhs];
  },
  jvp: ({ b, node, inputs: [lhs, rhs] }, [dl, dr]) =>
    addDefined(new Terms(b), [
      dl && b.make('dot_general', [dl, rhs], node.attrs),
      dr && b.make('dot_general', [lhs, dr], node.attrs),
    ]),
  // Both mapped: one more batch axis. One mapped: one more free axis, which is moved to the front where it is the right's.
  batch: ({ b, node }, [lhs, rhs], [lhsMapped, rhsMapped]) => {
    const t = new Terms(b);
    const x = dotAxes(node.attrs, node.inputs[0].type.shape.length, node.inputs[1].type.shape.length);
    const later = (axes: readonly number[], moved: boolean) => (moved ? axes.map((a) => a + 1) : axes);
    const both = lhsMapped && rhsMapped;
    const result = dot(
      t,
      lhs,
      rhs,
      later(x.lhsContract, lhsMapped),
      later(x.rhsContract, rhsMapped),
      [...(both ? [0] : []), ...later(x.lhsBatch, lhsMapped)],
      [...(both ? [0] : []), ...later(x.rhsBatch, rhsMapped)],
    );
    const at = both ? 0 : x.lhsBatch.length + (lhsMapped ? 0 : x.lhsFree.length);
    return t.permute(result, [at, ...range(node.type.shape.length + 1).filter((a) => a !== at)]);
  },
  lower: { family: 'contraction' },
  sample: (rng) => {
    const [batch, contract, lhsFree, rhsFree] = [0, 1, 2, 3].map((i) => drawShape(rng, 0, i === 1 ? 2 : 1));
    const [dtype] = numeric.draw(rng, 1, {});
    const operand = (free: readonly number[]) => {
      const dims = [...batch, ...contract, ...free];
      const order = drawOrder(rng, dims.length);
      return {
        shape: order.map((a) => dims[a]),
        batch: batch.map((_, i) => order.indexOf(i)),
        contract: contract.map((_, i) => order.indexOf(batch.length + i)),
      };
    };
    const [l, r] = [operand(lhsFree), operand(rhsFree)];
    return {
      inputs: [drawArray(rng, { dtype, shape: l.shape }), drawArray(rng, { dtype, shape: r.shape })],
      attrs: { lhs_contract: l.contract, rhs_contract: r.contract, lhs_batch: l.batch, rhs_batch: r.batch },
    };
  },
  tolerance: { relative: 1e-5, absolute: 1e-5 },
};

export const contractionOps = named({ dot_general: dotGeneral });
