/**
 * Text to syntax tree: lexer, layout, contextual keywords, parser, builder, names of sites, in that order. Never throws for any input; every error has
 * a span, and independent mistakes are reported together.
 */
import type { IToken } from 'chevrotain';
import { layout } from '../../grammar/layout.ts';
import { SaddleParser } from '../../grammar/parser.ts';
import { saddleLexer } from '../../grammar/tokens.ts';
import { markKeywords } from '../../grammar/words.ts';
import { error } from '../diagnostics/diagnostic.ts';
import type { Diagnostic, Result } from '../diagnostics/diagnostic.ts';
import type { Source } from '../source/source.ts';
import { build } from './build.ts';
import { tooDeep } from './depth.ts';
import type { Module } from './nodes.ts';
import { nameSites } from './sites.ts';
import { bracketErrors, characterErrors, expectedTokens, inOrder, parserErrors } from './syntax-errors.ts';

/** Largest accepted source text, in UTF-16 units. */
export const maxSourceLength = 1 << 20;

let parser: SaddleParser | undefined;

/** Parses one file. The same text always gives the same result. */
export function parse(source: Source): Result<Module> {
  if (source.text.length > maxSourceLength) {
    const span = { file: source.name, start: maxSourceLength, end: maxSourceLength + 1 };
    return failed([
      error('OPT112', span, `the file has ${source.text.length} characters; ${maxSourceLength} are accepted`, {
        hint: 'split it, or load large constants with data … from',
      }),
    ]);
  }
  const lexed = saddleLexer().tokenize(source.text);
  const characters = characterErrors(source, lexed.errors);
  const { tokens, faults } = layout(lexed.tokens);
  const brackets = bracketErrors(source, faults);
  if (faults.some((fault) => fault.kind === 'deep')) return failed(inOrder([...characters, ...brackets]));

  try {
    markKeywords(tokens);
    parser ??= new SaddleParser({ errorMessageProvider: expectedTokens });
    parser.input = tokens;
    const tree = parser.file();
    const syntax = parserErrors(source, parser.errors, tokens, parser.statementStarts, [...characters, ...brackets]);
    const errors = inOrder([...characters, ...brackets, ...syntax]);
    if (errors.length > 0) return failed(errors);
    const comments = (lexed.groups.comments ?? []) as IToken[];
    const built = build(tree, comments, source);
    if (built.diagnostics.length > 0) return failed(inOrder(built.diagnostics));
    const deep = tooDeep(built.module);
    if (deep) return failed([deep]);
    nameSites(built.module);
    return { ok: true, value: built.module, diagnostics: [] };
  } catch (thrown) {
    // Unbracketed nesting (`sum over sum over …`) is bounded only by the stack.
    if (!(thrown instanceof RangeError)) throw thrown;
    const span = { file: source.name, start: 0, end: 1 };
    return failed([
      ...characters,
      error('OPT112', span, 'the expressions of this file are nested too deeply', {
        hint: 'name parts of them with let',
      }),
    ]);
  }
}

function failed(diagnostics: readonly Diagnostic[]): Result<Module> {
  return { ok: false, diagnostics };
}
