/** Slips in numbers, ranges and operators. */
import { keyword as k } from '../../grammar/tokens.ts';
import * as t from '../../grammar/tokens.ts';
import { foreignStarts } from './familiar.ts';
import type { Test } from './slip.ts';

const compound = new Set(['+', '-', '*', '/', '^', '@']);
const condition = new Set([
  'conditional',
  'whileStatement',
  'expectStatement',
  'trainStatement',
  'endWhenStatement',
  'constraintStatement',
  'forallPart',
]);

export const operatorSlips: readonly Test[] = [
  (l) =>
    l.image(0) === '=' && l.image(1) === '>' && l.adjacent(0)
      ? {
          code: 'OPT106',
          message: "'=>' is no operator",
          hint: "functions have names: 'fn f(x) = e'; to compare write '>='",
        }
      : undefined,
  (l) =>
    l.token(0)?.tokenType === t.NumberToken &&
    l.token(1)?.tokenType === t.Word &&
    l.adjacent(0) &&
    l.expects('Word') &&
    !l.expectsExpression
      ? { code: 'OPT111', message: `a name cannot begin with a digit`, hint: 'begin it with a letter or _' }
      : undefined,
  // ---- numbers and ranges
  (l) =>
    l.image(0) === '.' && l.image(-1) === '..'
      ? {
          code: 'OPT106',
          message: "'...' is no operator",
          hint: "a range is written 'a..b', or 'a..=b' with its end",
          at: l.token(-1),
        }
      : undefined,
  (l) =>
    (l.image(0) === ']' || l.image(0) === ',') && l.image(-1) === '..' && l.expectsExpression
      ? {
          code: 'OPT108',
          message: 'a range needs its end',
          hint: `write '${/^[\w)]*$/.test(l.image(-2)) ? l.image(-2) : 'a'}..len(x)', or the number of elements`,
          at: l.token(-1),
        }
      : undefined,
  (l) =>
    l.image(0) === '..' && (l.image(-1) === '[' || l.image(-1) === ',') && l.expectsExpression
      ? { code: 'OPT108', message: 'a range needs its begin', hint: `write '0..${l.image(1)}'` }
      : undefined,
  (l) =>
    l.image(0) === '.' && l.expectsExpression && l.token(1)?.tokenType === t.NumberToken
      ? { code: 'OPT111', message: 'a number begins with a digit', hint: `write '0.${l.image(1)}'` }
      : undefined,
  (l) =>
    l.image(-1) === '.' && l.token(-2)?.tokenType === t.NumberToken && l.adjacent(-2)
      ? {
          code: 'OPT111',
          message: 'a number has digits behind its point',
          hint: `write '${l.image(-2)}${/[.eE]/.test(l.image(-2)) ? '' : '.0'}'`,
          at: l.token(-2),
        }
      : undefined,
  (l) =>
    l.token(0)?.tokenType === t.Word && l.token(-1)?.tokenType === t.NumberToken && l.adjacent(-1)
      ? {
          code: 'OPT111',
          message: `'${l.image(-1)}${l.image(0)}' is neither a number nor a name`,
          hint: `write '${l.image(-1)} * ${l.image(0)}', or begin the name with a letter`,
        }
      : undefined,
  // ---- operators
  (l) =>
    l.image(0) === '*' && l.image(-1) === '*' && l.adjacent(-1)
      ? { code: 'OPT106', message: "'**' is no operator", hint: "powers are written 'x^2'", at: l.token(-1) }
      : undefined,
  (l) =>
    (l.image(0) === '+' && l.image(-1) === '+') || (l.image(-1) === '-' && l.image(-2) === '-' && l.adjacent(-2))
      ? {
          code: 'OPT106',
          message: `'${l.image(-1)}${l.image(-1)}' is no operator`,
          hint: "write 'x <- x + 1'",
          at: l.token(-1),
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && compound.has(l.image(-1)) && l.adjacent(-1)
      ? {
          code: 'OPT106',
          message: `'${l.image(-1)}=' is no operator`,
          hint: `write 'x <- x ${l.image(-1)} e' for a cell`,
          at: l.token(-1),
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.image(-1) === '==' && l.adjacent(-1)
      ? { code: 'OPT106', message: "'===' is no operator", hint: "write '=='", at: l.token(-1) }
      : undefined,
  (l) =>
    l.image(0) === ':' && l.image(1) === '=' && l.adjacent(0)
      ? {
          code: 'OPT106',
          message: "':=' is no operator",
          hint: "write 'let x = e' to name a value, 'x <- e' to write a cell",
        }
      : undefined,
  (l) =>
    l.image(0) === '>' && l.image(-1) === '=' && l.adjacent(-1)
      ? {
          code: 'OPT106',
          message: "'=>' is no operator",
          hint: "write '>=' to compare, 'fn f(x) = e' for a function",
          at: l.token(-1),
        }
      : undefined,
  (l) =>
    l.image(0) === '->' && l.expects('Separator') && !l.in('fnDeclaration')
      ? { code: 'OPT106', message: "'->' does not write a value", hint: "write 'x <- e'" }
      : undefined,
  (l) =>
    l.image(0) === '<-' && l.expects('Equals')
      ? { code: 'OPT106', message: "'<-' writes a cell that exists; here a name is introduced", hint: "write '='" }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.in('args') && !(l.token(-1)?.tokenType === t.Word && ['(', ','].includes(l.image(-2)))
      ? {
          code: 'OPT106',
          message: "'=' defines; it does not compare",
          hint: "compare with '=='",
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.in('args')
      ? {
          code: 'OPT118',
          message: "name and value of an argument are joined by ':'",
          hint: `write '${l.image(-1)}: ${l.image(1)}'`,
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.in('braces') && !l.in('body')
      ? {
          code: 'OPT114',
          message: "name and value of a field are joined by ':'",
          hint: `write '${l.image(-1)}: ${l.image(1)}'`,
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.mistake.rules.slice(-2).some((r) => condition.has(r))
      ? {
          code: 'OPT106',
          message: "'=' defines; it does not compare",
          hint: "write '==', or '~=' with 'within' for nearly equal",
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.expects('LBrace') && l.in('expectStatement', 'conditional', 'whileStatement')
      ? { code: 'OPT106', message: "'=' defines; it does not compare", hint: "write '=='" }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.first?.tokenType === k.expect
      ? {
          code: 'OPT106',
          message: "'=' defines; it does not compare",
          hint: "write '==', or '~= … within …' for nearly equal",
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.expects('Tilde')
      ? { code: 'OPT119', message: "a draw is written with '~'", hint: "write 'sample z ~ normal f32[n]'" }
      : undefined,
  (l) =>
    l.image(0) === '~' && l.first?.tokenType === k.let
      ? {
          code: 'OPT119',
          message: "'let' names a value; a draw is a 'sample'",
          hint: `write 'sample ${l.image(-1)} ~ …'`,
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.expects('IN')
      ? { code: 'OPT119', message: "a static loop runs over a range with 'in'", hint: "write 'for i in 0..n { … }'" }
      : undefined,
  (l) =>
    l.image(0) === '=' &&
    l.expects('Separator') &&
    l.token(0) &&
    !foreignStarts[l.first?.image ?? ''] &&
    l.first?.tokenType === t.Word
      ? {
          code: 'OPT106',
          message: "'=' alone neither names a value nor writes a cell",
          hint: `write 'let ${l.image(-1)} = …' to name a value, '${l.image(-1)} <- …' to write a cell`,
        }
      : undefined,
  (l) =>
    l.behind === 0 &&
    l.token(0) &&
    (l.token(0)?.tokenType.CATEGORIES?.includes(t.BinaryOperator) || [',', '.', '=', '->'].includes(l.image(0))) &&
    l.expectsExpression
      ? {
          code: 'OPT115',
          message: `a line cannot begin with '${l.image(0)}'`,
          hint: `put '${l.image(0)}' at the end of the line before, or the whole expression in parentheses`,
        }
      : undefined,
];
