/** A cell that is not finite: the message names the statement of the user's text that writes it. */
import { expect, test } from 'vitest';
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
