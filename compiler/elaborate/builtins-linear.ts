/** Dense linear algebra that is primitive: Cholesky factors and triangular systems, over any leading axes. The rest is in stdlib/linalg.opt. */
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { BuiltinCall, BuiltinFn } from './builtins.ts';
import { tensor } from './values.ts';

/** The first argument, whose last two axes must be equal. */
function square(c: BuiltinCall): Node {
  const a = c.float(0);
  const [n, columns] = a.type.shape.slice(-2);
  if (a.type.shape.length < 2 || n !== columns)
    fail('OPT302', c.at(0), `${c.name} needs a square matrix, but this has type ${c.e.typeText(a.type)}`, {
      hint: 'the last two axes are its rows and columns',
    });
  return a;
}

/** cholesky(A): lower L with L @ transpose(L) = (A + transpose(A)) / 2. */
const cholesky: BuiltinFn = (c) => {
  c.expect(1, 1);
  return tensor(c.e.make('cholesky', [square(c)]));
};

/** triangular_solve(A, b): x with A @ x = b, reading one triangle of A; b is a vector or a matrix. */
const triangularSolve: BuiltinFn = (c) => {
  c.expect(2, 2, ['lower', 'transpose']);
  const a = square(c);
  const b = c.float(1);
  const lead = a.type.shape.slice(0, -1);
  const vector = b.type.shape.length === a.type.shape.length - 1;
  const fits = (vector ? b.type.shape : b.type.shape.slice(0, -1)).join() === lead.join();
  if (!fits || b.type.shape.length < lead.length)
    fail('OPT302', c.at(1), `a right side of type ${c.e.typeText(b.type)} does not fit the matrix`, {
      labels: [{ span: c.at(0), text: `this has type ${c.e.typeText(a.type)}` }],
      hint: 'it needs as many rows as the matrix, and the same axes before them',
    });
  const right = vector ? c.e.make('reshape', [b], { shape: [...b.type.shape, 1] }) : b;
  const lower = !c.named.has('lower') || c.flag('lower');
  const x = c.e.make('triangular_solve', [a, right], { lower, transpose: c.flag('transpose') });
  return tensor(vector ? c.e.make('reshape', [x], { shape: b.type.shape }) : x);
};

export const linearBuiltins: Record<string, BuiltinFn> = { cholesky, triangular_solve: triangularSolve };
