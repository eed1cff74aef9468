/** Errors of derivatives and writes name the writer's things and stand where the writer can do something about them. */
import { describe, expect, test } from 'vitest';
import { errorsOf } from './run-spec.ts';

describe('a derivative that would have to pass a write', () => {
  const looped = 'var s = y\n  repeat 3 { s <- s * y }\n  s';

  test.each([
    ['of a fn', `fn f(y) {\n  ${looped}\n}\nvar x = 2.0\nmetric m = grad(f(x), x)`],
    [
      'of a trial',
      `trial t() {\n  var x = 2.0\n  fn f(y) {\n  ${looped}\n}\n  metric m = grad(f(x), x)\n}\nrun one = t()`,
    ],
  ])('names the variable %s as it is written, and where the derivative is asked', (_, text) => {
    const [d] = errorsOf(text);
    expect(d.message).toBe("this derivative would have to pass a write of 's'");
    expect(d.hint).toContain("'stop' the value of 's'");
    const [label] = d.labels;
    expect(text.slice(label.span.start, label.span.end)).toBe('grad(f(x), x)');
    expect(label.text).toBe('the derivative is asked here');
  });

  test('in another file is shown at the derivative, and the write as a second place', () => {
    const files = { './mine.opt': `fn f(y) {\n  ${looped}\n}` };
    const text = 'use "./mine.opt" { f }\nvar x = 2.0\nlet far = f(x)\nmetric m = grad(far, x)';
    const [d] = errorsOf(text, { files });
    expect(d.code).toBe('OPT401');
    expect(text.slice(d.span?.start, d.span?.end)).toBe('grad(far, x)');
    expect(d.labels.map((l) => l.span.file)).toEqual([expect.stringContaining('mine')]);
    expect(d.hint).not.toContain("'s'");
  });
});

test('a write to an argument is refused in the same words, whatever was given', () => {
  for (const [body, given] of [
    ['y <- y + 1', '1.0'],
    ['y <- y + 1', 'x'],
    ['y[0] <- 1', '[1.0, 2.0]'],
    ['y[0] <- 1', 'v'],
  ]) {
    const [d] = errorsOf(`fn f(y) { ${body}; sum(y) }\nvar x = 1.0\nvar v = [1.0, 2.0]\nmetric m = f(${given})`);
    expect([d.code, d.message], given).toEqual(['OPT422', 'y is a value, not a cell: it cannot be written']);
  }
});

test('the largest of nothing is told of at the call that asks for it', () => {
  const text = 'use linalg { eigh }\nmetric m = sum(eigh(zeros(0, 0))[0])';
  const [d] = errorsOf(text);
  expect(d.message).toBe('there is no max of no numbers: [0, 0] has an axis without elements');
  expect(text.slice(d.span?.start, d.span?.end)).toBe('eigh(zeros(0, 0))');
});
