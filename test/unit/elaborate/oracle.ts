/** Values that other systems computed, kept in test/oracles beside the scripts that made them, and specs that compute the same. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { runSpec } from './run-spec.ts';

/** The values in test/oracles/NAME.json. */
export function oracle(name: string): Record<string, readonly number[]> {
  const text = readFileSync(join(import.meta.dirname, '../../oracles', `${name}.json`), 'utf8');
  return JSON.parse(text) as Record<string, readonly number[]>;
}

/** sin(0.7 i + 0.3) in the given shape, as the scripts' `wave`. */
export const wave = (...shape: number[]): string => array('sin', 0.7, 0.3, shape);
/** cos(0.4 i) in the given shape, as the scripts' `tide`. */
export const tide = (...shape: number[]): string => array('cos', 0.4, 0, shape);

function array(f: 'sin' | 'cos', by: number, from: number, shape: readonly number[]): string {
  const size = shape.reduce((a, b) => a * b, 1);
  return `reshape(${f}(${by} * f32(0..${size}) + ${from}), ${shape.join(', ')})`;
}

/** Each expression, as a flat list of numbers, against the values of its name. */
export function compare(
  values: Record<string, readonly number[]>,
  cases: Record<string, string>,
  preamble = '',
  digits = 7,
): void {
  const names = Object.keys(cases);
  const cells = names.map((n) => `var out_${n} = zeros(${values[n].length})\nout_${n} <- flat(${cases[n]})`);
  const machine = runSpec(`${preamble}\n${cells.join('\n')}\n`);
  for (const n of names) {
    const got = machine.values(`out_${n}`);
    values[n].forEach((wanted, i) => expect(got[i], `${n}[${i}] of ${cases[n]}`).toBeCloseTo(wanted, digits));
  }
}
