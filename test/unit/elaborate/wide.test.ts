/** A spec that uses most constructs at once: it compiles without a word, runs, and its runs are paired. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verify } from '../../../compiler/ir/tensor/verify.ts';
import { optimizeProgram } from '../../../compiler/passes/program.ts';
import { compileSpec, Machine } from './run-spec.ts';

const text = readFileSync(join(import.meta.dirname, 'wide.opt'), 'utf8');

describe('a wide spec', () => {
  const { program, diagnostics } = compileSpec(text);
  const machine = new Machine(program).run();

  test('has no diagnostics', () => expect(diagnostics).toEqual([]));
  test('every entry passes the verifier', () => {
    for (const entry of program.entries) {
      expect(verify([...entry.outputs.map((o) => o.value), ...entry.writes.map((w) => w.value)])).toEqual([]);
    }
  });
  test('equal arguments give equal runs, others do not', () => {
    for (const name of ['dloss', 'gloss', 's']) {
      expect(machine.all(`c[0]/${name}`)).toEqual(machine.all(`a/${name}`));
      expect(machine.all(`c[1]/${name}`)).not.toEqual(machine.all(`a/${name}`));
    }
  });
  test('evals happen at 0, 5 and the end; metrics of a loop are members', () => {
    expect(machine.all('a/s').length).toBe(3);
    expect(machine.last('a/m[2]') - machine.last('a/m[0]')).toBeCloseTo(2, 12);
  });
  test('runs and claims are recorded as written', () => {
    expect(program.runs.map((r) => [r.name, r.mayFail, r.seed])).toEqual([
      ['a', false, undefined],
      ['b', true, 7],
      ['c[0]', false, undefined],
      ['c[1]', false, undefined],
    ]);
    expect(program.claims.length).toBe(10);
  });
  test('the passes keep every value', () => {
    const optimized = new Machine(optimizeProgram(program)).run();
    for (const [name, values] of machine.series) {
      optimized.all(name).forEach((v, i) => expect(v, name).toBeCloseTo(values[i], 9));
    }
  });
});
