/** The names pass: what it accepts, what it refuses, and its imports. */
import { describe, expect, test } from 'vitest';
import { parse } from '../../../compiler/ast/parse.ts';
import type { Module } from '../../../compiler/ast/nodes.ts';
import { builtinDistributions, builtinValues } from '../../../compiler/check/builtins.ts';
import { checkNames } from '../../../compiler/check/names.ts';
import { Source } from '../../../compiler/source/source.ts';
import { diagnose, importAnything, importFiles, readSource, specs } from './sources.ts';

function codes(text: string): string[] {
  return diagnose(new Source('test.opt', text), importAnything).map((d) => d.code);
}

describe('accepted', () => {
  test.each(specs('test/corpus/sketches'))('%s', (path) => {
    expect(diagnose(readSource(path), importAnything)).toEqual([]);
  });

  test.each(specs('stdlib'))('%s', (path) => {
    expect(diagnose(readSource(path), importFiles).filter((d) => d.severity === 'error')).toEqual([]);
  });

  test.each([
    ['templates before their declaration', 'let a = f(1)\nfn f(x) = g(x)\nfn g(x) = x'],
    [
      'an outer value under the name that is being defined',
      'let a = 1\ntrial t() {\n  let a = a + 1\n  metric m = a\n}',
    ],
    ['shadowing in an inner scope', 'let a = 1\nfn f(a) = a'],
    ['families', 'fn f(x, n: dim) {\n  let h[0] = x\n  for l in 0..n { let h[l + 1] = h[l] + 1 }\n  h[n]\n}'],
    ['free dims of parameters', 'fn f(x: f32[n, m]) = n * m'],
    ['dims of data files', 'data d from "digits" { x: f32[N, 64] }\nlet a = N'],
    [
      'variables of a lower level',
      'problem p {\n  over x: f32 = 0\n  minimize x * y\n  where y solves {\n    over y: f32 = 0\n    minimize G: (x - y)^2\n  }\n}',
    ],
    ['forward values in a gradient clause', 'fn f(x) {\n  let y = exp(x)\n  y\n} gradient g -> g * y'],
    [
      'step in arguments of templates',
      'use rules { adam }\ntrial t(r: rule) { metric m = 1 }\nrun a = t(adam(0.1 * (1 - progress)))',
    ],
    ['metrics read by claims', 'eval { metric m = 1 }\nexpect m == 1'],
    ['user functions named like builtins', 'fn max(x) = x\nlet a = max(1)'],
    ['writes to models', 'layer L(x) { x }\nmodel N = L\ntrain 1 { N <- 0.5 * N }'],
  ])('%s', (_, text) => {
    expect(codes(text)).toEqual([]);
  });
});

describe('refused', () => {
  test.each([
    ['a let of the loop before', 'train 3 {\n  report a = b\n  let b = 1\n}', 'OPT207'],
    ['a name of another body', 'train 3 { let b = 1 }\nlet a = b', 'OPT201'],
    ['names of patterns twice', 'let (a, a) = (1, 2)', 'OPT206'],
    ['k outside of rules', 'fn f(x) = x * k', 'OPT201'],
    ['an unknown member of a family index', 'fn f(x) {\n  let h[0] = x\n  h[q]\n}', 'OPT201'],
    ['an unknown target of at', 'let a = 1\nlet b = a at { c: 2 }', 'OPT201'],
    ['a distribution as a value', 'let a = normal', 'OPT201'],
    ['a value as a distribution', 'let a = 1\nsample z ~ a f32', 'OPT202'],
    [
      'a rule that needs more',
      'rule r(lr) for (p, g) { p <- p - lr * g }\nvar x = 0\ntrain 1 { update x by r() minimizing x }',
      'OPT211',
    ],
    [
      'a partial run of an alias',
      'trial t(a, b) { metric m = a + b }\ntrial u = t(b: 1)\nrun r = u(a: 1, b: 2)',
      'OPT208',
    ],
    ['one slip in an argument', 'trial t(strength) { metric m = strength }\nrun a = t(strenght: 0)', 'OPT208'],
    ['a required named argument', 'let a = unflat([1, 2])', 'OPT211'],
    ['dims bound nowhere', 'fn f(x: f32[n], y: f32[n + q]) = x', 'OPT201'],
    ['emit in a map', 'let a = map 0..3 as i { emit i }', 'OPT220'],
  ])('%s', (_, text, code) => {
    expect(codes(text)).toEqual([code]);
  });

  test('did you mean looks only in the namespace at hand', () => {
    const hint = (text: string) => diagnose(new Source('test.opt', text), importAnything)[0].hint;
    expect(hint('let normals = 1\nsample z ~ norml f32')).toBe("did you mean 'normal'?");
    expect(hint('let looss = 1\nlet b = loss')).toBe("did you mean 'looss'?");
    expect(hint('let b = sqr(2)')).toBe("did you mean 'sqrt'?");
  });
});

describe('imports', () => {
  function files(texts: Record<string, string>) {
    const modules = new Map<string, Module>();
    for (const [name, text] of Object.entries(texts)) {
      const parsed = parse(new Source(name, text));
      if (parsed.ok) modules.set(name, parsed.value);
    }
    return { modules, resolve: (name: string) => modules.get(name) };
  }

  test('a circle through three files names its way', () => {
    const { modules, resolve } = files({
      './a.opt': 'use "./b.opt" { y }\nlet x = y',
      './b.opt': 'use "./c.opt" { z }\nlet y = z',
      './c.opt': 'use "./a.opt" { x }\nlet z = x',
    });
    const found = checkNames(modules.get('./a.opt') as Module, resolve);
    expect(found.map((d) => d.code)).toEqual(['OPT217']);
    expect(found[0].message).toContain('./a.opt uses ./b.opt uses ./c.opt uses ./a.opt');
  });

  test('a file used twice on different ways is no circle', () => {
    const { modules, resolve } = files({
      './a.opt': 'use "./b.opt" { y }\nuse "./c.opt" { z }\nlet x = y + z',
      './b.opt': 'use "./c.opt" { z }\nlet y = z',
      './c.opt': 'let z = 1',
    });
    expect(checkNames(modules.get('./a.opt') as Module, resolve)).toEqual([]);
  });

  test('a chain of more than 32 files is refused', () => {
    const chain = (length: number) => {
      const texts: Record<string, string> = { [`./${length}.opt`]: 'let x = 1' };
      for (let i = 0; i < length; i++) texts[`./${i}.opt`] = `use "./${i + 1}.opt" { x as y }\nlet x = y`;
      const { modules, resolve } = files(texts);
      return checkNames(modules.get('./0.opt') as Module, resolve).map((d) => d.code);
    };
    expect(chain(31)).toEqual([]);
    expect(chain(40)).toEqual(['OPT218']);
  });

  test('names of a module keep their parameters', () => {
    const { modules, resolve } = files({
      './a.opt': 'use "./b.opt" { f }\nlet x = f(1, c: 2)',
      './b.opt': 'fn f(a, b) = a + b',
    });
    expect(checkNames(modules.get('./a.opt') as Module, resolve).map((d) => d.code)).toEqual(['OPT208']);
  });
});

test('builtins read their signatures', () => {
  expect(builtinValues.get('clamp')).toMatchObject({ min: 3, max: 3, positions: ['x', 'lo', 'hi'], named: [] });
  expect(builtinValues.get('segment_sum')).toMatchObject({ min: 1, max: 1, required: ['by', 'into'] });
  expect(builtinValues.get('max')).toMatchObject({
    min: 1,
    max: Number.POSITIVE_INFINITY,
    named: ['axis', 'last', 'keep'],
  });
  expect(builtinDistributions.get('uniform')).toMatchObject({ min: 0, max: 2 });
});
