/**
 * Every row of the library where its dims are equal (a name that reads an axis by its length would be found out), of one, and none: it has a finite value and a
 * finite gradient, or over nothing a located error or a value that is not a number.
 */
import { expect, test } from 'vitest';
import { Machine, tryCompile } from '../unit/elaborate/run-spec.ts';
import { functionOf, inputsOf, table, uses, usesOf, WEIGH } from './program.ts';
import { needSome, type Row } from './rows.ts';

/** Equal ones, also where a row adds 2 to N or to C. */
const SIZES = [
  [2, 2],
  [3, 3],
  [4, 4],
  [2, 4],
  [4, 2],
  [1, 5],
  [5, 1],
] as const;
const EMPTY = [
  [0, 5],
  [0, 2],
] as const;

/** Value and gradient of a row, or the codes of the errors that refuse it. */
function found(module: string, name: string, row: Row, n: number, c: number): readonly number[] | readonly string[] {
  const inputs = inputsOf(row);
  const by = row.order === 0 ? undefined : inputs.find((i) => i.float)?.name;
  const call = inputs.length > 0 ? `f0(${inputs.map((i) => i.name).join(', ')})` : 'f0';
  const compiled = tryCompile(`${uses(usesOf(module, name, row))}
dim N = ${n}
dim C = ${c}
${WEIGH}
${functionOf(row, 0)}
${inputs.map((i) => `frozen ${i.name}: ${i.type} ~ ${i.draw}`).join('\n')}
fn value = weigh(${call})
metric v = value
metric g = ${by ? `sum(abs(grad(value, ${by})))` : '0.0'}`);
  if (!compiled.ok) return compiled.diagnostics.filter((d) => d.severity === 'error').map((d) => d.code);
  const machine = new Machine(compiled.value.program, {}, 1).run();
  return [machine.last('v'), machine.last('g')];
}

const rows = Object.entries(table).flatMap(([module, names]) =>
  Object.entries(names)
    .filter(([, row]) => row.call !== undefined)
    .map(([name, row]) => [name, module, row] as const),
);

test.each(rows)('%s', (name, module, row) => {
  const least = row.sizes ? Math.min(...row.sizes.map(([n]) => n)) : 0;
  for (const [n, c] of SIZES) {
    if (n === 1 && least > 1) continue; // the row says why
    const got = found(module, name, row, n, c);
    expect(got.every(Number.isFinite), `N = ${n}, C = ${c}: ${got.join(', ')}`).toBe(true);
  }
  for (const [n, c] of EMPTY) {
    const got = found(module, name, row, n, c);
    const none = got.some((x) => (typeof x === 'string' ? x.startsWith('OPT3') : Number.isNaN(x)));
    expect(none, `N = ${n}, C = ${c}: ${got.join(', ')}`).toBe(needSome.has(name));
  }
});
