/** A cell that is not finite: the message names the statement of the user's text that writes it. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../../compiler/pipeline.ts';
import { SaddleError, type Diagnostic } from '../../../compiler/diagnostics/diagnostic.ts';
import { Source } from '../../../compiler/source/source.ts';
import { createReferenceBackend } from '../../../runtime/reference/backend.ts';
import { load } from '../../../runtime/session.ts';
import { readLibrary } from '../elaborate/run-spec.ts';

/** The error that a spec ends with. */
async function errorOf(text: string): Promise<Diagnostic> {
  const options = { readImport: readLibrary(), dataInfo: () => undefined, set: new Map<string, number>() };
  const result = compile(new Source('spec.opt', text), options);
  if (!result.ok || !result.value.bundle) throw new Error(result.diagnostics.map((d) => d.message).join('\n'));
  const session = await load(result.value.bundle).start({
    backend: createReferenceBackend(result.value.program),
    seed: 1,
  });
  try {
    for await (const report of session.train()) void report;
  } catch (error) {
    if (error instanceof SaddleError) return error.diagnostics[0];
  }
  throw new Error('it runs to its end');
}

test('the statement that writes it, in a branch too, and the others in a note', async () => {
  const found = await errorOf(`var x: f32[2] = 1
train 9 {
  if step > 3 { x <- x / (0 * x) }
  x <- 2 * x
}`);
  expect(found).toMatchObject({
    code: 'OPT709',
    place: { file: 'spec.opt', line: 3, column: 17, text: '  if step > 3 { x <- x / (0 * x) }' },
  });
  expect(found.message).toContain("cell 'x' is not finite");
  expect(found.notes).toEqual(['it is also written at spec.opt:4:3']);
});

test('an update, not the text of its rule in the library, and what it moves before the states of its rule', async () => {
  const found = await errorOf(`use rules { adam }
var x: f32[2] = 1
train 3 {

  update x by adam() along x / f32(2 - step)
}`);
  expect(found).toMatchObject({ place: { file: 'spec.opt', line: 5, column: 3 }, notes: [] });
  expect(found.message).toContain("cell 'x'");
});

test('an update by a rule of the file: the update too', async () => {
  const found = await errorOf(`rule boom() for (p, g) { p <- p / (0 * g) }
var x: f32 = 1
train 1 { update x by boom() minimizing x^2 }`);
  expect(found.place).toMatchObject({ line: 3, column: 11 });
});

test('between phases, and of a phase that does not write it the one before', async () => {
  const text = (phase: string) => `var x: f32 = 1\nvar y: f32 = 1\nx <- x / 0\n${phase}`;
  expect((await errorOf(text('train 1 { y <- 2 * y }'))).place).toMatchObject({ line: 3, column: 1 });
});

test('in a run, in the words of the text', async () => {
  const text = (loop: string) => `rule own() for (p, g) { state m = 1.0\nm <- m / 0\np <- p - 0 * g }
trial t() {\n  var x = 1.0\n  train 1 { ${loop} }\n}\nrun one = t()`;
  expect((await errorOf(text('x <- x / 0'))).message).toContain("cell 'x' is not finite");
  const state = await errorOf(text('update x by own() minimizing x^2'));
  expect(state.message).toContain("the state 'own.m' of 'x' is not finite");
});

describe('the operation that made it is told of, with what it means', () => {
  const cases: [name: string, text: string, what: string, at: string, hint: RegExp][] = [
    ['a logarithm', 'hyper z = -1\nmetric m = 1 + log(z)', 'this is the logarithm of a number below 0', 'log(z)', /log\(max/],
    ['of 0', 'hyper z = 0\nlet far = log(z)\nmetric m = far', 'this is the logarithm of 0', 'log(z)', /log\(max/],
    ['a quotient', 'hyper z = 0\nmetric m = z / z', 'this is 0 / 0', 'z / z', /divided by/],
    ['a root', 'hyper z = -1\nmetric m = sqrt(z)', 'this is the root of a number below 0', 'sqrt(z)', /root is of/],
    ['an exponential', 'hyper z = 800\nmetric m = exp(z)', 'this exponential is beyond the range of floats', 'exp(z)', /softmax/],
    ['a factor', 'var A: f32[2, 2] = [[1, 2], [2, 1]]\nmetric m = sum(cholesky(A))', 'this is the factor of a matrix that is not positive definite', 'cholesky(A)', /eigenvalues above 0/],
    ['in a map', 'metric m = sum(map 0..4 as i { log(f32(i) - 2) })', 'this is the logarithm of a number below 0', 'log(f32(i) - 2)', /log\(max/],
    ['in a scan', 'var x = 0.5\nmetric m = scan h = x for i in 0..4 { next sqrt(h - 0.4) }', 'this is the root of a number below 0', 'sqrt(h - 0.4)', /root is of/],
    ['an earlier step', 'var x = 0.5\ntrain 3 { let far = log(x - 1)\nx <- x + far }', 'this is the logarithm of a number below 0', 'log(x - 1)', /log\(max/],
    ['a state of a rule', 'rule r() for (p, g) { state s = 1.0\ns <- log(s - 2)\np <- p - s * g }\nvar x = 1.0\ntrain 3 { update x by r() minimizing x^2 }', 'this is the logarithm of a number below 0', 'log(s - 2)', /log\(max/],
    ['behind a choice', 'var x = -1.0\nmetric m = where(x > 0, log(x), 0) + sqrt(x)', 'this is the root of a number below 0', 'sqrt(x)', /root is of/],
    ['growth', 'var x = 1e30\ntrain 9 { x <- x * x }', 'this is beyond the range of floats', 'x * x', /step size/],
  ]; // prettier-ignore
  test.each(cases)('%s', async (_, text, what, at, hint) => {
    const found = await errorOf(text);
    expect(found.code).toBe('OPT709');
    expect(found.labels.map((l) => [l.text, text.slice(l.span.start, l.span.end)])).toEqual([[what, at]]);
    expect(found.hint).toMatch(hint);
  });
});
