/**
 * Every row of the library in float64: first and second derivatives, by each input and by the parameters of layers, against central differences of the values along
 * random directions; and `map` of the call and of its gradient against one element at a time.
 */
import { describe, expect, test } from 'vitest';
import { runSpec } from '../unit/elaborate/run-spec.ts';
import { functionOf, inputsOf, table, uses, usesOf, WEIGH } from './program.ts';
import type { Row } from './rows.ts';

const STEP = 2e-5;
const CLOSE = 2e-6;

type Case = readonly [name: string, module: string, row: Row];
const cases: readonly Case[] = Object.entries(table).flatMap(([module, rows]) =>
  Object.entries(rows)
    .filter(([, row]) => row.call !== undefined)
    .map(([name, row]): Case => [name, module, row]),
);

const preamble = (name: string, module: string, row: Row): string =>
  `${uses(usesOf(module, name, row))}\ndim N = 3\ndim C = 4\n${WEIGH}\n${functionOf(row, 0)}\n`;

/** What a row can be differentiated by: names, and whether a name is a model. */
function targets(row: Row): readonly string[] {
  const inputs = inputsOf(row).filter((i) => i.float);
  return [...inputs.map((i) => i.name), ...(/\bmodel M\b/.test(row.setup ?? '') ? ['M0'] : [])];
}

/** Difference quotient and derivative of value along d, and of the derivative along e. */
function probes(x: string, second: boolean): string {
  const at = (e: string, sign: string) => `(${e}) at { ${x}: ${x} ${sign} ${STEP} * d_${x} }`;
  const quotient = (e: string) => `(${at(e, '+')} - ${at(e, '-')}) / ${2 * STEP}`;
  // A slope that is constant reads nothing that could be replaced; so it reads x here.
  const slope = `dot(grad(value, ${x}), e_${x}) + 0 * sum(flat(${x}))`;
  return `sample d_${x} ~ normal like ${x}
sample e_${x} ~ normal like ${x}
metric a_${x} = dot(grad(value, ${x}), d_${x})
metric b_${x} = ${quotient('value')}
${second ? `metric c_${x} = dot(hvp(value, ${x}, d_${x}), e_${x})\nmetric d2_${x} = ${quotient(slope)}` : ''}`;
}

function close(got: number, wanted: number, what: string): void {
  expect(Math.abs(got - wanted), `${what}: ${got} against ${wanted}`).toBeLessThan(
    CLOSE * Math.max(1, Math.abs(wanted)),
  );
}

describe('derivatives are those of the values', () => {
  test.each(cases.filter(([, , row]) => row.order !== 0 && targets(row).length > 0))('%s', (name, module, row) => {
    const names = inputsOf(row).map((i) => i.name);
    const by = targets(row);
    const second = row.order !== 1;
    const machine = runSpec(`${preamble(name, module, row)}
${inputsOf(row)
  .map((i) => `frozen ${i.name}: ${i.type} ~ ${i.draw}`)
  .join('\n')}
fn value = weigh(f0(${names.join(', ')}))
metric v = value
${by.map((x) => probes(x, second)).join('\n')}`);
    let moved = false;
    for (const x of by) {
      close(machine.last(`a_${x}`), machine.last(`b_${x}`), `first, by ${x}`);
      if (second) close(machine.last(`c_${x}`), machine.last(`d2_${x}`), `second, by ${x}`);
      moved ||= machine.last(`a_${x}`) !== 0;
    }
    expect(moved).toBe(true);
  });
});

describe('map is a loop', () => {
  test.each(cases.filter(([, , row]) => row.noMap === undefined && inputsOf(row).length > 0))(
    '%s',
    (name, module, row) => {
      const inputs = inputsOf(row, '3');
      const names = inputs.map((i) => i.name);
      const first = inputs.find((i) => i.float)?.name;
      const heads = names.map((x) => `all_${x} as ${x}`).join(', ');
      const each = (body: (arg: (x: string) => string) => string): string =>
        `[${[0, 1, 2].map((k) => body((x) => `all_${x}[${k}]`)).join(', ')}]`;
      const value = (arg: (x: string) => string) => `weigh(f0(${names.map(arg).join(', ')}))`;
      const slope = `map ${heads} as_ { weigh(grad(${value((x) => x)}, ${first})) }`.replace(' as_ {', ' {');
      const rows = [0, 1, 2].map((k) => `let slope_${k} = at_${k}(${names.map((x) => `all_${x}[${k}]`).join(', ')})`);
      const derivative = first !== undefined && row.order !== 0;
      const machine = runSpec(`${preamble(name, module, row)}
${inputs.map((i) => `frozen all_${i.name}: ${i.type} ~ ${i.draw}`).join('\n')}
let whole = map ${heads} { ${value((x) => x)} }
let parts = ${each(value)}
metric gap = max(abs(whole - parts))
metric size = max(abs(parts))
${derivative ? `${[0, 1, 2].map((k) => `fn at_${k}(${names.join(', ')}) = weigh(grad(${value((x) => x)}, ${first}))`).join('\n')}\n${rows.join('\n')}\nmetric slopes = max(abs(${slope} - [slope_0, slope_1, slope_2]))` : ''}`);
      const scale = Math.max(1, machine.last('size'));
      expect(machine.last('gap')).toBeLessThan(1e-10 * scale);
      if (derivative) expect(machine.last('slopes')).toBeLessThan(1e-9 * scale);
    },
  );
});
