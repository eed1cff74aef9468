/** OPT1xx: Syntax. */
import type { CatalogEntry } from '../catalog.ts';

export const syntaxCodes = {
  OPT101: {
    title: 'unexpected text',
    about:
      'The text does not continue as the grammar says. The message names what would have fitted there and what was found. A statement ends at the end of its line or at `;`, except inside ( ) and [ ] and after an operator, `=`, `->`, `|>` or a comma.',
    example: { wrong: 'let a = 1 2', right: 'let a = 1' },
  },
  OPT102: {
    title: 'bracket left open',
    about:
      'An opening bracket has no closing one. The label shows the bracket that was left open; the caret shows where the text ended or where another bracket closed around it.',
    example: { wrong: 'train 10 {\n  let a = 1', right: 'train 10 {\n  let a = 1\n}' },
  },
  OPT103: {
    title: 'closing bracket without an opening one',
    about: 'A closing bracket stands where none is open, or where another kind of bracket is open.',
    example: { wrong: 'let a = (1 + 2))', right: 'let a = (1 + 2)' },
  },
  OPT104: {
    title: 'stray character',
    about:
      'A character that is no part of the language. Often it was typed by a word processor (curly quotes, dashes) or is mathematical notation; the hint gives what the language writes for it.',
    example: { wrong: 'let a = 2 × 3', right: 'let a = 2 * 3' },
  },
  OPT105: {
    title: 'text without an end',
    about:
      'A text begins with a double quote and ends with one on the same line; there are no escapes. Texts name files and reasons of failure only.',
    example: { wrong: 'data d from "digits:train', right: 'data d from "digits:train"' },
  },
  OPT106: {
    title: 'operator of another language',
    about:
      'The operator is written differently here: `^` for powers, `and`, `or`, `not` for logic, `==` for comparison, `=` to define, `<-` to write a cell, `div` and `mod` for whole numbers.',
    example: { wrong: 'if a == 1 && b == 2 { c }', right: 'if a == 1 and b == 2 { c }' },
  },
  OPT107: {
    title: 'misspelled keyword',
    about: 'A word stands where a keyword is needed and nearly is one.',
    example: { wrong: 'trian 200 { }', right: 'train 200 { }' },
  },
  OPT108: {
    title: 'incomplete statement',
    about:
      'A statement lacks a part that it cannot do without: `update` its `by`, `while` its `max` (loops have a bound, so that a run always ends), `scan` its `for … in`, `fixed` its `until`.',
    example: { wrong: 'update Net minimizing loss', right: 'update Net by sgd(0.1) minimizing loss' },
  },
  OPT109: {
    title: 'reserved word as a name',
    about:
      'Keywords may be names wherever that is clear, but `and or not div mod if else while true false let fn` never are.',
    example: { wrong: 'let not = 1', right: 'let negated = 1' },
  },
  OPT110: {
    title: 'chained comparison',
    about:
      'Comparisons and ranges do not chain: what `a < b < c` means differs between languages, so it is refused. `within` belongs to one `~=`.',
    example: { wrong: 'expect 0 < a < 1', right: 'expect 0 < a and a < 1' },
  },
  OPT111: {
    title: 'malformed number',
    about:
      'A number has digits on both sides of its point, at most one exponent, no suffix, and is at most 3.4e38 in size.',
    example: { wrong: 'hyper lr = .5', right: 'hyper lr = 0.5' },
  },
  OPT112: {
    title: 'text too large or too deep',
    about:
      'A file may have 1 MiB of text, 200 brackets inside each other and expressions 1000 operations deep, so that checking it always ends quickly.',
  },
  OPT113: {
    title: 'unknown type',
    about:
      'Types of values are f32, f16, i32, u32 and bool, with dims in brackets: f32[n, 64]. A parameter may instead name its kind: dim, axis, data, set, fn, layer, model, rule, estimator, aggregator, solver, problem, objective, cells.',
    example: { wrong: 'layer L(x: float) { x }', right: 'layer L(x: f32[n, 4]) { x }' },
  },
  OPT114: {
    title: 'malformed record',
    about:
      'In `{ name: value }` a plain name stands before each colon; a field without a colon is shorthand for a name in scope. `at { x: v }` replaces names, parts and members.',
    example: { wrong: 'let r = { a: 1, 2 }', right: 'let r = { a: 1, b: 2 }' },
  },
  OPT115: {
    title: 'line begins with an operator',
    about:
      'A line ends its statement unless it ends with an operator or inside brackets. To go on, put the operator at the end of the line before, or the whole in parentheses.',
    example: { wrong: 'let a = b\n  * c', right: 'let a = b *\n  c' },
  },
  OPT116: {
    title: 'construct of another language',
    about:
      'The text is written as in another language. The hint gives the form of this one: `fn f(x) = e` defines a function, the last expression of a body is its value, `//` begins a comment.',
    example: { wrong: 'def f(x):', right: 'fn f(x) = x' },
  },
  OPT117: {
    title: 'constraint that is no relation',
    about:
      'A constraint states `a == b`, `a <= b` or `a >= b`; each has a multiplier, which is reported in the direction written.',
    example: {
      wrong: 'problem p {\n  over x: f32 = 0\n  minimize x\n  subject to c: x + 1\n}',
      right: 'problem p {\n  over x: f32 = 0\n  minimize x\n  subject to c: x >= -1\n}',
    },
  },
  OPT118: {
    title: 'malformed argument',
    about: 'Arguments are `f(a, name: b)`: a colon joins name and value, and unnamed arguments come first.',
    example: { wrong: 'let r = sgd(lr=0.1)', right: 'let r = sgd(lr: 0.1)' },
  },
  OPT119: {
    title: 'malformed statement',
    about:
      'A part of a statement is present but cannot be what it is: a word that has to be another, a target that cannot be written, a part that this statement does not take.',
    example: { wrong: 'a + b <- 3', right: 'a <- 3' },
  },
} satisfies Record<string, CatalogEntry>;
