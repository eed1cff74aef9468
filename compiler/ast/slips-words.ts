/** Slips in words: keywords of other languages, misspelled and missing ones, reserved names, separators between values. */
import { keyword as k } from '../../grammar/tokens.ts';
import * as t from '../../grammar/tokens.ts';
import { reservedWords } from '../../grammar/words.ts';
import { nearest } from '../diagnostics/suggest.ts';
import { countedStarts, foreignInfix, foreignStarts, forms, infixWords, statementStarts } from './familiar.ts';
import type { Test } from './slip.ts';

export const wordSlips: readonly Test[] = [
  // ---- words of other languages, misspelled keywords
  (l) =>
    l.image(0) === 'then' && l.in('conditional')
      ? { code: 'OPT116', message: "there is no 'then'", hint: "write 'if c { a } else { b }'" }
      : undefined,
  (l) =>
    l.token(0)?.tokenType === k.if && l.expects('Separator', 'RParen', 'Comma')
      ? {
          code: 'OPT116',
          message: 'a condition stands before its branches',
          hint: "write 'if c { a } else { b }', or 'where(c, a, b)' for each element",
        }
      : undefined,
  (l) =>
    l.first?.image === 'for' && l.image(0) === '('
      ? {
          code: 'OPT116',
          message: "'for' has no header in parentheses",
          hint: "write 'for i in 0..n { … }', or 'repeat n as i { … }' for a count known only at run time",
        }
      : undefined,
  (l) =>
    l.image(0) === 'mut' || (l.image(-1) === 'mut' && l.first?.tokenType === k.let)
      ? {
          code: 'OPT116',
          message: "a 'let' never changes",
          hint: "write 'var x = e' for a cell and 'x <- e' to write it",
        }
      : undefined,
  (l) =>
    l.behind >= 1 && l.first?.tokenType === t.Word && foreignStarts[l.first.image] && l.expects('Separator', 'Number')
      ? {
          code: 'OPT116',
          message: `'${l.first.image}' is no statement`,
          hint: foreignStarts[l.first.image],
          at: l.first,
        }
      : undefined,
  (l) => {
    if (
      l.behind !== 1 ||
      l.first?.tokenType !== t.Word ||
      !(l.startsOperand || l.image(0) === '{' || /^[a-z]+$/.test(l.image(0)))
    )
      return undefined;
    const counted = l.token(0)?.tokenType === t.NumberToken && nearest(l.first.image, countedStarts);
    const word = counted || nearest(l.first.image, statementStarts);
    if (word === l.first.image) {
      const form = Object.values(forms).find((text) => text.startsWith(`${word} `));
      return { code: 'OPT101', message: `'${word}' cannot be followed by this`, hint: `the form is: ${form ?? word}` };
    }
    return word
      ? { code: 'OPT107', message: `'${l.first.image}' is no keyword`, hint: `did you mean '${word}'?`, at: l.first }
      : undefined;
  },
  (l) => {
    if (l.token(0)?.tokenType !== t.Word || l.expectsExpression) return undefined;
    const found = l.image(0);
    const familiar = foreignInfix[found];
    const word = found.length > 2 ? nearest(found, infixWords) : undefined;
    const hint = familiar ?? (word && `did you mean '${word}'?`);
    return hint ? { code: 'OPT107', message: `'${found}' is no keyword`, hint } : undefined;
  },
  // ---- incomplete statements
  (l) =>
    l.first?.tokenType === k.update && l.expects('BY')
      ? {
          code: 'OPT108',
          message: "'update' needs the rule that makes the step",
          hint: "write 'update P by sgd(0.1) minimizing L'",
        }
      : undefined,
  (l) =>
    l.first?.tokenType === k.update && l.image(-1) === 'by'
      ? {
          code: 'OPT108',
          message: "'by' needs a rule",
          hint: "write 'by sgd(0.1)', or a pipeline 'by clip(1.0) |> adam(1e-3)'",
        }
      : undefined,
  (l) =>
    l.expects('MAX') && (l.first?.tokenType === k.while || l.in('scanning'))
      ? { code: 'OPT108', message: "'while' needs a bound on its turns", hint: "write 'while c max 100 { … }'" }
      : undefined,
  (l) =>
    l.first?.tokenType === k.train && l.expects('MAX')
      ? {
          code: 'OPT108',
          message: "'train until' needs a bound on its steps",
          hint: "write 'train until c max 1000 { … }'",
        }
      : undefined,
  (l) => {
    const needs: Record<string, string> = {
      train: 'train 100 { … }',
      repeat: 'repeat 10 { … }',
      every: 'every 10 { … }',
    };
    const form = l.first && l.mistake.tokens[l.mistake.start + 1]?.image === '{' ? needs[l.first.image] : undefined;
    return form
      ? {
          code: 'OPT108',
          message: `'${l.first?.image}' needs a number before its body`,
          hint: `write '${form}'`,
          at: l.first,
        }
      : undefined;
  },
  (l) =>
    l.expects('UNTIL') && l.in('fixedPoint')
      ? {
          code: 'OPT108',
          message: "'fixed' needs the tolerance at which it ends",
          hint: "write 'fixed z = z0 { f(z) } until 1e-5 max 200'",
        }
      : undefined,
  (l) =>
    l.expects('FOR') && l.in('scanning')
      ? {
          code: 'OPT108',
          message: "'scan' needs what it runs over",
          hint: "write 'scan h = h0 for e in xs { next f(h, e) }', or 'scan h = h0 while C max N { next f(h) }'",
        }
      : undefined,
  (l) =>
    l.expects('LBrace') && l.first?.tokenType === k.use
      ? { code: 'OPT108', message: "'use' needs the names that it takes", hint: "write 'use nn { linear, relu }'" }
      : undefined,
  (l) =>
    l.image(0) === ':' && l.expects('LBrace') && l.in('fnDeclaration', 'layerDeclaration', 'modelDeclaration')
      ? { code: 'OPT119', message: "the type of a result stands behind '->'", hint: "write 'fn f(x) -> f32 = e'" }
      : undefined,
  (l) =>
    l.image(0) === ':' && l.expects('LBrace')
      ? { code: 'OPT116', message: "a body stands in braces, not behind ':'", hint: "write '{ … }'" }
      : undefined,
  (l) =>
    l.expects('LBrace') && l.image(0) === '=' && l.in('layerDeclaration', 'modelDeclaration')
      ? {
          code: 'OPT119',
          message: 'a layer or model has a body in braces',
          hint: "write 'model M(x: f32[n, 4]) { … }'",
        }
      : undefined,
  (l) =>
    l.expects('LBrace') && !l.expectsExpression && (!l.token(0) || l.token(0)?.tokenType === t.Separator)
      ? { code: 'OPT108', message: 'a body is missing', hint: "open it with '{' on the same line" }
      : undefined,
  // ---- names
  (l) => {
    const found = l.token(0);
    if (
      !found ||
      !l.expects('Word') ||
      l.expectsExpression ||
      !/^[a-z]+$/.test(found.image) ||
      found.tokenType === t.Word
    )
      return undefined;
    const reserved = reservedWords.has(found.image);
    return {
      code: 'OPT109',
      message: `the ${reserved ? 'reserved word' : 'keyword'} '${found.image}' cannot be a name here`,
      hint: `choose another name, such as '${found.image}_'`,
    };
  },
  // ---- separators
  (l) =>
    l.image(0) === ':' && l.in('indexSuffix')
      ? {
          code: 'OPT106',
          message: "a slice is written with '..'",
          hint: "write 'x[a..b]'; ':' alone takes the whole axis",
        }
      : undefined,
  (l) =>
    l.image(-1) === ':' && l.in('indexSuffix') && l.startsOperand
      ? {
          code: 'OPT106',
          message: "a slice is written with '..'",
          hint: "write 'x[0..b]'; ':' alone takes the whole axis",
        }
      : undefined,
  (l) =>
    l.image(0) === ';' && l.expects('RParen', 'RBracket', 'Comma')
      ? { code: 'OPT101', message: "';' does not separate values", hint: "write ','" }
      : undefined,
  (l) =>
    l.startsOperand && l.expects('RParen', 'RBracket', 'RBrace')
      ? {
          code: 'OPT101',
          message: `expected ',' or the closing bracket, found '${l.image(0)}'`,
          hint: "separate values by ',', or put an operator between them",
        }
      : undefined,
  (l) =>
    /^(f32|f16|i32|u32|bool)$/.test(l.image(0)) &&
    l.first &&
    [k.let, k.var, k.param, k.state, k.frozen, k.over].includes(l.first.tokenType)
      ? { code: 'OPT119', message: "a type stands behind ':'", hint: `write '${l.image(-1)}: ${l.image(0)}'` }
      : undefined,
  (l) =>
    l.token(0)?.tokenType === k.else
      ? { code: 'OPT101', message: "this 'else' belongs to no 'if'", hint: "write 'if c { … } else { … }'" }
      : undefined,
  (l) =>
    l.token(0)?.tokenType === k.max && l.expects('Separator', 'RParen', 'Comma')
      ? {
          code: 'OPT106',
          message: "'max' between two values is only a cap",
          hint: "write 'max(a, b)' for the larger one",
        }
      : undefined,
  (l) =>
    l.token(0)?.tokenType === k.over && l.token(-1)?.tokenType === t.Word && l.expects('Separator', 'RParen', 'Comma')
      ? {
          code: 'OPT101',
          message: `'${l.image(-1)}' cannot reduce over a map`,
          hint: 'reductions are sum, mean, max, min and variance over X as e { … }; others take the mapped array',
        }
      : undefined,
  (l) =>
    l.token(0)?.tokenType === k.with && l.first?.tokenType === k.solve
      ? { code: 'OPT119', message: "a solver stands behind 'by'", hint: "write 'solve P by S(…) for N'" }
      : undefined,
  (l) =>
    l.image(0) === ',' && l.expects('Separator')
      ? {
          code: 'OPT101',
          message: "',' cannot stand here",
          hint: 'a tuple stands in parentheses; numbers have no separators between thousands',
        }
      : undefined,
];
