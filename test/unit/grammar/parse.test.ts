/** The parser on whole files and on the places where the grammar could be read in two ways. */
import { describe, expect, test } from 'vitest';
import { SaddleParser } from '../../../grammar/parser.ts';
import { keyword } from '../../../grammar/tokens.ts';
import { reservedWords } from '../../../grammar/words.ts';
import { parse } from '../../../compiler/ast/parse.ts';
import type { Expr, Module, Stmt } from '../../../compiler/ast/nodes.ts';
import { Source } from '../../../compiler/source/source.ts';
import { readSource, specs } from '../check/sources.ts';

function module(text: string): Module {
  const parsed = parse(new Source('test.opt', text));
  if (!parsed.ok) throw new Error(parsed.diagnostics.map((d) => d.message).join('\n'));
  return parsed.value;
}

function only(text: string): Stmt {
  const { statements } = module(text);
  expect(statements).toHaveLength(1);
  return statements[0];
}

/** The value of `let x = TEXT`, fully parenthesized. */
function shape(text: string): string {
  const stmt = only(`let x = ${text}`);
  return stmt.kind === 'let' ? show(stmt.value) : '';
}

function show(e: Expr): string {
  switch (e.kind) {
    case 'number':
      return e.text;
    case 'name':
      return e.name;
    case 'unary':
      return `(${e.op} ${show(e.operand)})`;
    case 'binary':
      return `(${show(e.left)} ${e.op} ${show(e.right)}${e.within ? ` within ${show(e.within)}` : ''})`;
    case 'range':
      return `(${show(e.lo)} ${e.closed ? '..=' : '..'} ${show(e.hi)})`;
    case 'call':
      return `${show(e.callee)}(${e.args.map((a) => (a.name ? `${a.name.text}: ` : '') + show(a.value)).join(', ')})${e.as ? ` as ${e.as.text}` : ''}`;
    case 'index':
      return `${show(e.object)}[${e.items.map((i) => (i.kind === 'at' ? show(i.expr) : i.kind)).join(', ')}]`;
    case 'member':
      return `${show(e.object)}.${e.name.text}`;
    case 'at':
      return `(${show(e.expr)} at ${e.step ? show(e.step) : `{${e.bindings.map((b) => `${show(b.target)}: ${show(b.value)}`).join(', ')}}`})`;
    case 'with':
      return `(${show(e.expr)} with ${e.pipeline.stages.map(show).join(' |> ')})`;
    case 'fresh':
      return `(fresh ${show(e.expr)})`;
    default:
      return e.kind;
  }
}

describe('corpus', () => {
  test.each([...specs('test/corpus/sketches'), ...specs('stdlib')])('%s', (path) => {
    const source = readSource(path);
    const parsed = parse(source);
    expect(parsed.diagnostics).toEqual([]);
    if (!parsed.ok) return;
    // statements lie in order and their spans cover text that begins and ends with code
    let end = 0;
    for (const stmt of parsed.value.statements) {
      expect(stmt.span.start).toBeGreaterThanOrEqual(end);
      expect(source.slice(stmt.span)).toMatch(/^\S[\s\S]*\S$/);
      end = stmt.span.end;
    }
  });

  test('a file of thousands of lines is parsed', () => {
    const text = readSource('test/corpus/sketches/gbnn.opt').text;
    expect(parse(new Source('copies.opt', text.repeat(32))).ok).toBe(true);
  });
});

test('the grammar passes the validations that are skipped when it is used', () => {
  expect(() => new SaddleParser({ skipValidations: false })).not.toThrow();
});

describe('precedence', () => {
  test.each([
    ['-x^2', '(- (x ^ 2))'],
    ['2^-x', '(2 ^ (- x))'],
    ['2^3^4', '(2 ^ (3 ^ 4))'],
    ['a - b - c', '((a - b) - c)'],
    ['a + b * c @ d div e', '(a + (((b * c) @ d) div e))'],
    ['-a * b', '((- a) * b)'],
    ['0..n + 1', '(0 .. (n + 1))'],
    ['0..n == m', '((0 .. n) == m)'],
    ['not a and b or c', '(((not a) and b) or c)'],
    ['a < b and c >= d', '((a < b) and (c >= d))'],
    ['a ~= b + c within d', '(a ~= (b + c) within d)'],
    ['L at { x: 1 } - L at { x: 2 }', '((L at {x: 1}) - (L at {x: 2}))'],
    ['fresh G at { y: z } + 1', '((fresh (G at {y: z})) + 1)'],
    ['m at step 30 >= 2', '((m at 30) >= 2)'],
    ['grad(L, P) with spsa() + 1', '((grad(L, P) with spsa()) + 1)'],
    ['f(a)[0].b(c: 1)', 'f(a)[0].b(c: 1)'],
    ['x[:, new, a..b, -1]', 'x[all, new, (a .. b), (- 1)]'],
    ["f(x) as h'", "f(x) as h'"],
  ])('%s', (text, expected) => {
    expect(shape(text)).toBe(expected);
  });
});

describe('keywords as names', () => {
  test.each([
    'data train from "digits" { x: f32[*, 64] }',
    'let at = 1',
    'let by = step + train.x',
    'let first = map * 2',
    'sample shift ~ integers(1, 10) i32[4]',
    'let a = (b.y + shift) mod 10',
    'let next = mean over clients moved',
    'let a = unflat(d, like: x)',
    'let r = f(with: 1, by: 2, for: 3)',
    'let r = { at: 1, with: 2, step: 3 }',
    'report loss, max = 3',
    'var state: f32 = 0',
    'fn over(set, rule) = set + rule',
    'let a = max over P max(x)',
    'let a = emit[0] + next[1]',
    'model data = param',
  ])('%s', (text) => {
    expect(module(text).statements).toHaveLength(1);
  });

  test.each([
    'let W = W + 1',
    'fn f(W) = W * 2',
    'fn W(x) = x',
    'let d = f(W: W)',
    'let c = (W, W)',
    'let r = { W: 1 }',
    'let r = { W, a: 1 }',
    'W <- W + 1',
    'W[0] <- 1',
    'W.x <- 1',
    'metric m = W',
    'let (W, a) = b',
    'var W: f32 = 0',
    'model W = L',
    'run W = fit(W)',
    'sample W ~ normal f32',
    'dim W = 3',
    'let x = y at { W: 2 }',
    'let x = a.W',
    'fn g(x) {\n  W\n}',
    'fn g(x) {\n  W * 2\n}',
    'let z = W and W or not W',
    'let x = f(a) as W',
    'train 3 as W { report a = W }',
    'repeat 3 as W { x <- W }',
    'let z = -W^W',
  ])('every keyword that is not reserved, as W in %s', (form) => {
    const free = Object.keys(keyword).filter((word) => !reservedWords.has(word));
    const refused = free.filter((word) => !parse(new Source('test.opt', form.replaceAll('W', word))).ok);
    expect(refused).toEqual([]);
  });

  test('a keyword at the start of a statement is one only if what follows fits', () => {
    expect(only('train 3 { }').kind).toBe('train');
    expect(only('train <- 3').kind).toBe('write');
    expect(only('next[0] <- 3').kind).toBe('write');
    const scan = only('let a = scan h = 0 for e in x { next [h, e] }');
    expect(scan.kind === 'let' && scan.value.kind === 'scan' && scan.value.body.statements[0].kind).toBe('next');
  });
});

describe('newlines', () => {
  test.each([
    ['inside parentheses', 'let a = f(\n  1,\n  2\n)', 1],
    ['after an operator', 'let a = 1 +\n  2', 1],
    ['after and', 'let a = b and\n  c', 1],
    ['before else', 'let a = if b { 1 }\nelse { 2 }', 1],
    ['before |>', 'train 1 {\n  update x by clip(1)\n    |> sgd(1) minimizing x\n}', 1],
    ['after a comma in a record', 'let a = {\n  b: 1,\n  c: 2\n}', 1],
    ['end a statement', 'let a = 1\nlet b = 2', 2],
    ['semicolons', 'let a = 1; let b = 2;\nlet c = 3', 3],
    ['bodies inside parentheses', 'let a = f(map x as e {\n  let b = e\n  b\n})', 1],
    ['comments between', 'let a = 1 // one\n\n// two\nlet b = 2\n', 2],
    ['carriage returns', 'let a = 1\r\nlet b = 2\r\n', 2],
  ])('%s', (_, text, count) => {
    expect(module(text).statements).toHaveLength(count);
  });
});

describe('statements and values', () => {
  test('the last expression of a body is its value; elsewhere if and map are statements', () => {
    const stmt = only('fn f(x) {\n  if x > 0 { y <- 1 }\n  map x as e { e }\n}');
    expect(stmt.kind === 'fn' && stmt.body.statements.map((s) => s.kind)).toEqual(['if']);
    expect(stmt.kind === 'fn' && stmt.body.value?.kind).toBe('map');
    const train = only('train 1 {\n  map x as e { e }\n}');
    expect(train.kind === 'train' && train.body.statements.map((s) => s.kind)).toEqual(['mapStmt']);
  });

  test('an if without a value in each branch is a statement even at the end', () => {
    const stmt = only('fn f(x) {\n  if x > 0 { 1 } else { y <- 1 }\n}');
    expect(stmt.kind === 'fn' && stmt.body.value).toBeUndefined();
  });

  test('the last as of a head binds', () => {
    const stmt = only('let a = map f(x) as call as e { e }');
    expect(stmt.kind === 'let' && stmt.value.kind === 'map' && stmt.value.heads[0]).toMatchObject({
      as: { name: { text: 'e' } },
      over: { as: { text: 'call' } },
    });
  });

  test('with belongs to the update unless it follows grad', () => {
    const outer = only('update P by r minimizing loss(b) with spsa()');
    expect(outer).toMatchObject({ kind: 'update', with: { stages: [{ kind: 'call' }] } });
    const inner = only('update P by r along grad(L, P) with spsa()');
    expect(inner).toMatchObject({ kind: 'update', along: { kind: 'with' } });
    expect(inner).not.toHaveProperty('with');
  });

  test('doc comments and allow are attached', () => {
    const { statements } = module(
      '// no doc\n\n// first line\n// second line\nlet a = 1 allow OPT412\nallow OPT413 let b = 2',
    );
    expect(statements[0].doc).toEqual(['first line', 'second line']);
    expect(statements.map((s) => s.allow?.map((n) => n.text))).toEqual([['OPT412'], ['OPT413']]);
  });
});

describe('errors', () => {
  function errors(text: string): string[] {
    const source = new Source('test.opt', text);
    const parsed = parse(source);
    return parsed.ok ? [] : parsed.diagnostics.map((d) => `${d.code} ${source.position(d.span?.start ?? 0).line}`);
  }

  test('independent mistakes are reported together, one for each statement', () => {
    expect(errors('let a = = 1\ntrain 3 {\n  let b = (1 2)\n  let c = 3\n  report d 4\n}\nlet e = * 2')).toEqual([
      'OPT101 1',
      'OPT101 3',
      'OPT101 5',
      'OPT101 7',
    ]);
  });

  test('a wrong header takes its body with it and nothing else', () => {
    expect(errors('trian 200 {\n  let a = 1\n}\nlet b = = 2')).toEqual(['OPT107 1', 'OPT101 4']);
  });

  test('a missing brace is blamed on the block whose indentation says so', () => {
    const source = new Source('test.opt', 'train 10 {\n  if a {\n    b <- 1\n  report c\n}\nlet d = 1\n');
    const parsed = parse(source);
    expect(parsed.diagnostics).toHaveLength(1);
    expect(source.position(parsed.diagnostics[0].labels[0].span.start)).toEqual({ line: 2, column: 8 });
  });

  test.each([
    ['parentheses', `let a = ${'('.repeat(5000)}`],
    ['records', 'let a = '.concat('{ a: '.repeat(5000))],
    ['a long sum', `let a = ${'1 + '.repeat(5000)}1`],
    ['a long power', `let a = ${'2^'.repeat(50000)}1`],
    ['a chain of reductions', `let a = ${'sum over '.repeat(20000)}x { 1 }`],
    ['members', `let a = b${'.c'.repeat(20000)}`],
    ['else if', `let a = if b { 1 }${' else if b { 1 }'.repeat(5000)}`],
    ['prefixes', `let a = ${'- '.repeat(20000)}1`],
  ])('too deep: %s', (_, text) => {
    expect(errors(text)).toContain('OPT112 1');
  });

  test('deep but accepted', () => {
    expect(errors(`let a = ${'('.repeat(199)}1${')'.repeat(199)}`)).toEqual([]);
    expect(errors(`let a = ${'f(['.repeat(90)}1${'])'.repeat(90)}`)).toEqual([]);
    expect(errors(`let a = ${'1 + '.repeat(900)}1`)).toEqual([]);
  });

  test('a file of more than a mebibyte is refused', () => {
    expect(errors(' '.repeat((1 << 20) + 1))).toEqual(['OPT112 1']);
  });
});
