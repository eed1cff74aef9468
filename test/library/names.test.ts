/** Each name of the library has a row, a doc comment, and a source or a formula that needs none; each row has a name. */
import { describe, expect, test } from 'vitest';
import { declared, moduleNames, table } from './program.ts';
import { inner } from './rows.ts';

/** Formulas of textbooks, and notions without an author. */
const COMMON = new Set(
  (
    'degrees mean_adjacency laplacian eye diag cosine orthogonal_part squared_distances diagonal trace tril triu causal_mask outer kron squared_norm cholesky_solve solve_spd ' +
    'logdet_spd solve_linear inverse det logabsdet orthonormal lstsq eigmin eigmax power_iteration cross_entropy soft_cross_entropy binary_cross_entropy nll ' +
    'squared_error mse mae kl squared_hinge log_cosh poisson gaussian_nll forward_kl reverse_kl pearson hellinger total_variation unit_rows cosine_distance ' +
    'accuracy binary_accuracy rmse r2 leaky_relu softsign global_avg_pool global_max_pool upsample flatten standardize masked_attention heads merge_heads ' +
    'conv1d cross_attention softsign euler dormand_prince integrate trajectory sgd clip_leaf clip_value decay shrink project linear_decay polynomial exponential step_decay ' +
    'inverse_sqrt warmup spectral_linear box nonneg positive ball sphere'
  ).split(' '),
);

test('every module has rows', () => {
  expect(moduleNames.filter((name) => !Object.hasOwn(table, name) && !OTHERS.has(name))).toEqual([]);
  expect(Object.keys(table).filter((name) => !moduleNames.includes(name))).toEqual([]);
});

/** Modules with suites of their own. */
const OTHERS = new Set(['estimators', 'aggregators', 'solvers', 'classes', 'problems']);

describe.each(Object.keys(table))('%s', (module) => {
  const names = declared(module);
  test('a row for each name, a name for each row', () => {
    const rows = [...Object.keys(table[module]), ...Object.keys(inner[module])];
    expect(names.map((d) => d.name).filter((name) => !rows.includes(name))).toEqual([]);
    expect(rows.filter((name) => !names.some((d) => d.name === name))).toEqual([]);
  });
  test('a name that is a step of another is one of an exported name', () => {
    for (const [step, of] of Object.entries(inner[module])) expect(Object.keys(table[module]), step).toContain(of);
  });
  test.each(names.map((d) => [d.name, d] as const))('%s says what it is', (name, { doc }) => {
    const said = doc.filter((line) => !line.startsWith('  ')).join(' ');
    expect(said.length).toBeGreaterThan(15);
    if (!Object.hasOwn(inner[module], name) && !COMMON.has(name))
      expect(said, 'a source: Author, year').toMatch(/\b1[5-9]\d\d\b|\b20\d\d\b/);
  });
});

/** Their examples and values are in suites of their own; what they are is said here too. */
describe.each(moduleNames.filter((name) => OTHERS.has(name)))('%s', (module) => {
  test.each(declared(module).map((d) => [d.name, d] as const))('%s says what it is', (_, { doc }) => {
    expect(doc.join(' ').length).toBeGreaterThan(15);
  });
});

test('nothing is called common that is not there', () => {
  const all = Object.keys(table).flatMap((module) => declared(module).map((d) => d.name));
  expect([...COMMON].filter((name) => !all.includes(name))).toEqual([]);
});
