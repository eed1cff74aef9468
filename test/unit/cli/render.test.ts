/** Rendering of diagnostics with hostile or unwieldy sources. */
import { describe, expect, it } from 'vitest';
import { error } from '../../../compiler/diagnostics/diagnostic.ts';
import { renderText } from '../../../compiler/diagnostics/render.ts';
import { Source } from '../../../compiler/source/source.ts';

const render = (text: string, start: number, end: number, name = 'a.opt') => {
  const source = new Source(name, text);
  return renderText(error('OPT601', { file: name, start, end }, 'here'), new Map([[name, source]])).split('\n');
};

describe('long lines are shown around the span', () => {
  const text = `${'x'.repeat(500)}WRONG${'y'.repeat(500)}`;
  it.each([
    ['in the middle', 500, 505],
    ['at the start', 0, 3],
    ['at the end', 1000, 1005],
    ['one past the end', 1005, 1006],
    ['over all of it', 0, 1005],
    ['beyond the window', 500, 1005],
  ])('%s', (_name, start, end) => {
    const [, , line, caret] = render(text, start, end);
    expect(line.length).toBeLessThan(170);
    expect(caret.length).toBeLessThan(170);
    const column = caret.indexOf('^');
    if (start < text.length) expect(line[column]).toBe(text[start]);
    expect(line.slice(column, caret.length).replace('…', '')).toBe(
      text.slice(start, start + caret.length - column).slice(0, line.length),
    );
  });
});

it('short lines are shown whole', () => {
  expect(render('let a = b', 8, 9).slice(2)).toEqual(['1 | let a = b', '  |         ^']);
});

it('file names cannot steer the terminal', () => {
  expect(render('let a', 4, 5, 'a\u001b[2J.opt')[1]).toBe('  --> a·[2J.opt:1:5');
});

it('a place of a run is shown with its line and a caret', () => {
  const place = { file: 'a.opt', line: 12, column: 10, text: '  report x' };
  const found = { ...error('OPT709', undefined, "'x' is infinite at step 1"), place };
  expect(renderText(found, new Map()).split('\n').slice(1)).toEqual([
    '  --> a.opt:12:10',
    '12 |   report x',
    '   |          ^',
  ]);
});

describe('several marks', () => {
  const text = 'let a = b + c\nlet d = b * c';
  const source = new Source('a.opt', text);
  const span = (start: number) => ({ file: 'a.opt', start, end: start + 1 });
  const label = (start: number, words: string) => ({ span: span(start), text: words });
  const shown = (labels: ReturnType<typeof label>[]) =>
    renderText({ ...error('OPT601', span(8), 'here'), labels }, new Map([['a.opt', source]])).split('\n');

  it('of one line stand under one copy of it', () => {
    expect(shown([label(12, 'this'), label(4, 'and this')]).slice(1)).toEqual([
      '  --> a.opt:1:9',
      '1 | let a = b + c',
      '  |         ^',
      '  |             - this',
      '  |     - and this',
    ]);
  });
  it('of several lines stand under theirs', () => {
    expect(shown([label(22, 'there'), label(12, 'this'), label(26, 'too')]).slice(2)).toEqual([
      '1 | let a = b + c',
      '  |         ^',
      '  |             - this',
      '2 | let d = b * c',
      '  |         - there',
      '  |             - too',
    ]);
  });
  it('of a long line have a part of it each', () => {
    const long = new Source('a.opt', `${'x'.repeat(400)}A${'y'.repeat(400)}B`);
    const found = { ...error('OPT601', span(400), 'here'), labels: [label(801, 'B')] };
    const lines = renderText(found, new Map([['a.opt', long]]))
      .split('\n')
      .slice(2);
    expect(lines).toHaveLength(4);
    expect(lines[2][lines[3].indexOf('-')]).toBe('B');
  });
});
