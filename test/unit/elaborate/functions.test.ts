/** Elementwise primitives are functions of the language by their records alone: each is known to the names pass and gives its record's values. */
import { expect, test } from 'vitest';
import { builtinValues } from '../../../compiler/check/builtins.ts';
import { elementwiseFunctions } from '../../../compiler/ops/functions.ts';
import { evaluateAll, runSpec } from './run-spec.ts';

const values = [0.3, 0.7];

test('there are many', () => expect(elementwiseFunctions.length).toBeGreaterThan(20));

test.each(elementwiseFunctions.map((f) => [f.op.name, f] as const))('%s', (name, { op, result }) => {
  const inputs = values.slice(0, Number(op.arity));
  const dtypes = { inputs: inputs.map(() => 'f32' as const), output: result };
  const wanted = op.scalar?.(inputs, {}, dtypes) ?? Number.NaN;
  const number = (call: string) => (result === 'bool' ? `f32(${call})` : call);

  // of cells, which are primitives of the graph
  const cells = inputs.map((v, i) => `var x${i} = ${v}`).join('\n');
  const call = `${name}(${inputs.map((_, i) => `x${i}`).join(', ')})`;
  expect(runSpec(`${cells}\nvar y = 0.0\ny <- ${number(call)}`).value('y')).toBeCloseTo(wanted, 12);

  // of literals, which are computed by the compiler
  expect(evaluateAll([number(`${name}(${inputs.join(', ')})`)])[0]).toBeCloseTo(wanted, 12);
  expect(builtinValues.has(name)).toBe(true);
});
