/**
 * The two primitives of dense linear algebra: the Cholesky factor and the solution of triangular systems, over any leading axes. Solutions of general
 * systems, QR, eigenvalues and singular values are built from them in the library.
 */
import { drawArray, drawLength, drawShape, need, range, sameShape, shapeText, sizeOf } from './arrays.ts';
import { float, named } from './elementwise.ts';
import { addDefined, Terms } from './terms.ts';
import type { NdArray, Node, OpDef, Rng } from './types.ts';

/** Formulas over matrices in the last two axes of equal leading axes. */
class Matrices extends Terms {
  private swap(x: Node): number[] {
    const rank = x.type.shape.length;
    return [...range(rank - 2), rank - 1, rank - 2];
  }

  transpose(x: Node): Node {
    return this.permute(x, this.swap(x));
  }

  matmul(x: Node, y: Node): Node {
    const lead = range(x.type.shape.length - 2);
    const attrs = { lhs_batch: lead, rhs_batch: lead, lhs_contract: [lead.length + 1], rhs_contract: [lead.length] };
    return this.b.make('dot_general', [x, y], attrs);
  }

  solve(a: Node, b: Node, lower: boolean, transpose: boolean): Node {
    return this.b.make('triangular_solve', [a, b], { lower, transpose });
  }

  /** (x + xᵀ) / 2 */
  symmetric(x: Node): Node {
    return this.scale(this.add(x, this.transpose(x)), 0.5);
  }

  /** The entries on one side of the diagonal and, `diagonal` times, those on it; zeros elsewhere. */
  triangle(x: Node, lower: boolean, diagonal = 1): Node {
    const { shape } = x.type;
    const [row, column] = [2, 1].map((back) => this.iota(shape, shape.length - back));
    const inside = this.compare(lower ? 'gt' : 'lt', row, column);
    const on = this.select(this.compare('eq', row, column), this.scale(x, diagonal), this.zeros(x.type));
    return this.select(inside, x, on);
  }
}

/** Number of matrices and their size; ShapeError unless the last two axes are equal. */
function square(shape: readonly number[], what: string): { count: number; n: number } {
  const [n, columns] = shape.slice(-2);
  need(shape.length >= 2 && n === columns, () => `${what} needs a square matrix, not ${shapeText(shape)}`);
  return { count: sizeOf(shape.slice(0, -2)), n };
}

// ---------------------------------------------------------------- cholesky

/** The lower factor of one matrix, from its symmetric part; NaN where it is not positive definite. */
function factor(a: Float64Array, from: number, n: number, out: Float64Array): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = (a[from + i * n + j] + a[from + j * n + i]) / 2;
      for (let k = 0; k < j; k++) sum -= out[from + i * n + k] * out[from + j * n + k];
      out[from + i * n + j] = i === j ? Math.sqrt(sum) : sum / out[from + j * n + j];
    }
  }
}

/** A well-conditioned positive definite matrix, or several. */
function drawDefinite(rng: Rng, lead: readonly number[], n: number): NdArray {
  const type = { dtype: 'f32' as const, shape: [...lead, n, n] };
  const data = drawArray(rng, type, () => 0.4 * rng.normal()).data;
  for (let k = 0; k < sizeOf(lead) * n; k++) data[k * n + (k % n)] += n;
  return { type, data };
}

const cholesky: Omit<OpDef, 'name'> = {
  about:
    'Lower triangular L with L Lᵀ = (A + Aᵀ) / 2, for each matrix in the last two axes; NaN where that is not positive definite.',
  arity: 1,
  infer: ([a], attrs) => {
    square(a.shape, 'cholesky');
    return { dtype: float.result([a.dtype], attrs), shape: a.shape };
  },
  reference: ([a], _, type) => {
    const { count, n } = square(type.shape, 'cholesky');
    const data = new Float64Array(a.data.length);
    for (let m = 0; m < count; m++) factor(a.data, m * n * n, n, data);
    return { type, data };
  },
  // With Φ the lower triangle and half the diagonal: dL = L Φ(L⁻¹ dA L⁻ᵀ), and its transpose (Murray, 2016, "Differentiation of the Cholesky decomposition").
  vjp: ({ b, node }, g) => {
    const m = new Matrices(b);
    const inner = m.triangle(m.matmul(m.transpose(node), g), true, 0.5);
    const half = m.solve(node, inner, true, true); // L⁻ᵀ Φ
    const whole = m.transpose(m.solve(node, m.transpose(half), true, true)); // … L⁻¹
    return [m.symmetric(whole)];
  },
  jvp: ({ b, node }, [t]) => {
    if (!t) return undefined;
    const m = new Matrices(b);
    const half = m.solve(node, m.symmetric(t), true, false);
    const inner = m.transpose(m.solve(node, m.transpose(half), true, false));
    return m.matmul(node, m.triangle(inner, true, 0.5));
  },
  batch: ({ b, node }, [a]) => b.make('cholesky', [a], node.attrs),
  lower: { family: 'factor' },
  sample: (rng) => ({ inputs: [drawDefinite(rng, drawShape(rng, 0, 1, false), drawLength(rng, 1, 6))], attrs: {} }),
  tolerance: { relative: 1e-5, absolute: 1e-5 },
};

// ---------------------------------------------------------------- triangular systems

interface Solving {
  readonly lower: boolean;
  readonly transpose: boolean;
}

const solvingOf = (attrs: Readonly<Record<string, unknown>>): Solving => ({
  lower: attrs.lower === true,
  transpose: attrs.transpose === true,
});

/** Row after row, from the end where the equations are solved by back substitution. */
function substitute(
  [a, b]: readonly NdArray[],
  { lower, transpose }: Solving,
  m: { readonly at: number; readonly n: number; readonly columns: number },
  out: Float64Array,
): void {
  const forward = lower !== transpose;
  const { n, columns } = m;
  const entry = (i: number, k: number) => a.data[m.at * n * n + (transpose ? k * n + i : i * n + k)];
  for (let step = 0; step < n; step++) {
    const i = forward ? step : n - 1 - step;
    for (let c = 0; c < columns; c++) {
      let sum = b.data[(m.at * n + i) * columns + c];
      for (let s = 0; s < step; s++) {
        const k = forward ? s : n - 1 - s;
        sum -= entry(i, k) * out[(m.at * n + k) * columns + c];
      }
      out[(m.at * n + i) * columns + c] = sum / entry(i, i);
    }
  }
}

function batchSolve(t: Matrices, node: Node, n: number, [a, b]: readonly Node[], mapped: readonly boolean[]): Node {
  const [aMapped, bMapped] = mapped;
  if (aMapped) return t.b.make('triangular_solve', [a, bMapped ? b : t.lead(b, n)], node.attrs);
  // one matrix, many right sides: more columns
  const { shape } = node.type;
  const rank = shape.length;
  const wide = t.permute(b, [...range(rank - 1).map((i) => i + 1), 0, rank]);
  const columns = [...shape.slice(0, -1), n * shape[rank - 1]];
  const made = t.b.make('triangular_solve', [a, t.reshape(wide, columns)], node.attrs);
  const split = t.reshape(made, [...shape.slice(0, -1), n, shape[rank - 1]]);
  return t.permute(split, [rank - 1, ...range(rank - 1), rank]);
}

/** Cotangent or tangent of the triangle that is read: -x yᵀ, turned where the matrix is read transposed. */
function outside(m: Matrices, { lower, transpose }: Solving, x: Node, y: Node): Node {
  const product = transpose ? m.matmul(y, m.transpose(x)) : m.matmul(x, m.transpose(y));
  return m.triangle(m.neg(product), lower);
}

const triangularSolve: Omit<OpDef, 'name'> = {
  about:
    'X with A X = B, or Aᵀ X = B where {transpose}, reading only the triangle of A that {lower} names, for each matrix in the last two axes. Inputs: A, B.',
  arity: 2,
  infer: ([a, b], attrs) => {
    const { n } = square(a.shape, 'triangular_solve');
    need(
      typeof attrs.lower === 'boolean' && typeof attrs.transpose === 'boolean',
      () => `triangular_solve needs 'lower' and 'transpose'`,
    );
    need(
      b.shape.length === a.shape.length &&
        b.shape.at(-2) === n &&
        sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2)),
      () => `a right side ${shapeText(b.shape)} does not fit a matrix ${shapeText(a.shape)}`,
    );
    return { dtype: float.result([a.dtype, b.dtype], attrs), shape: b.shape };
  },
  reference: (inputs, attrs, type) => {
    const [{ count, n }, columns] = [square(inputs[0].type.shape, 'triangular_solve'), type.shape.at(-1) as number];
    const data = new Float64Array(sizeOf(type.shape));
    for (let at = 0; at < count; at++) substitute(inputs, solvingOf(attrs), { at, n, columns }, data);
    return { type, data };
  },
  vjp: ({ b, node, inputs: [a] }, g) => {
    const m = new Matrices(b);
    const s = solvingOf(node.attrs);
    const back = m.solve(a, g, s.lower, !s.transpose);
    return [outside(m, s, back, node), back];
  },
  jvp: ({ b, node, inputs: [a] }, [da, db]) => {
    const m = new Matrices(b);
    const s = solvingOf(node.attrs);
    const read = da && m.triangle(da, s.lower);
    const moved = read && m.neg(m.matmul(s.transpose ? m.transpose(read) : read, node));
    const right = addDefined(m, [db, moved]);
    return right && m.solve(a, right, s.lower, s.transpose);
  },
  batch: ({ b, node, n }, inputs, mapped) => batchSolve(new Matrices(b), node, n, inputs, mapped),
  lower: { family: 'factor' },
  sample: (rng) => {
    const a = drawDefinite(rng, drawShape(rng, 0, 1, false), drawLength(rng, 1, 6));
    const b = drawArray(rng, { dtype: 'f32', shape: [...a.type.shape.slice(0, -1), drawLength(rng, 1, 4)] });
    return { inputs: [a, b], attrs: { lower: rng.uniform() < 0.5, transpose: rng.uniform() < 0.5 } };
  },
  tolerance: { relative: 1e-5, absolute: 1e-5 },
};

export const factorOps = named({ cholesky, triangular_solve: triangularSolve });
