/** Characters that are no part of the language: what the user most likely meant. */
import type { DiagnosticCode } from '../diagnostics/catalog.ts';

export interface StrayText {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint: string;
  readonly length: number;
}

/** Operators of other languages that the lexer does not know, longest first. */
const operators: readonly (readonly [string, string])[] = [
  ['&&', "write 'and'"],
  ['||', "write 'or'"],
  ['&', "write 'and'"],
  ['|', "write 'or'; pipelines of rules are written with '|>'"],
  ['!', "write 'not'"],
  ['%', "write 'mod'"],
];

const mathematics: Record<string, string> = {
  '\u2264': "write '<='",
  '\u2265': "write '>='",
  '\u2260': "write '!='",
  '\u2248': "write '~='",
  '\u00d7': "write '*'",
  '\u00b7': "write '*', or '@' for matrices",
  '\u22c5': "write '*', or '@' for matrices",
  '\u2217': "write '*'",
  '\u00f7': "write '/'",
  '\u2212': "this is a mathematical minus sign; write '-'",
  '\u2010': "this is a hyphen; write '-'",
  '\u2013': "this is a dash; write '-'",
  '\u2014': "this is a dash; write '-'",
  '\u2190': "write '<-'",
  '\u2192': "write '->'",
  '\u2026': "write '..' for a range",
  '\u00b2': "write '^2'",
  '\u00b3': "write '^3'",
  '\u00bd': "write '0.5'",
  '\u221a': "write 'sqrt(x)'",
  '\u2211': "write 'sum(x)' or 'sum over X as e { … }'",
  '\u220f': 'write the product as a loop or with cumprod',
  '\u2207': "write 'grad(L, P)'",
  '\u2202': "write 'grad(L, P)'",
  '\u221e': 'there is no infinity; write a large number such as 1e30',
  '\u2208': "write 'in'",
  '\u2227': "write 'and'",
  '\u2228': "write 'or'",
  '\u00ac': "write 'not'",
  '\u00a0': 'this is a no-break space; write an ordinary one',
};

const curlyQuotes = new Set(['\u201c', '\u201d', '\u201e', '\u00ab', '\u00bb', '\u2018', '\u2019', '`']);

/** Describes the stray text at `offset`, of which the lexer skipped `skipped` characters. */
export function describeCharacter(text: string, offset: number, skipped: number): StrayText {
  const length = Math.max(1, skipped);
  const character = String.fromCodePoint(text.codePointAt(offset) ?? 0);
  const stray = (code: DiagnosticCode, message: string, hint: string, size = character.length): StrayText => ({
    code,
    message,
    hint,
    length: Math.min(size, Math.max(length, 1)),
  });

  if (character === '"') {
    const end = text.indexOf('\n', offset);
    return {
      code: 'OPT105',
      message: 'this text has no closing quote',
      hint: "end it with '\"' on the same line",
      length: (end < 0 ? text.length : end) - offset,
    };
  }
  if (character === '#') return stray('OPT116', "'#' does not begin a comment", "comments begin with '//'");
  if (character === "'")
    return stray(
      'OPT104',
      "texts stand in double quotes, not in '",
      'write "…"; a prime at the end of a name, as in h\', is part of the name',
    );
  if (character === '?')
    return stray('OPT116', "'?' is no operator", "write 'if c { a } else { b }', or 'where(c, a, b)' for each element");
  if (character === '\\')
    return stray(
      'OPT104',
      "unexpected character '\\'",
      'long lines go on after an operator or inside brackets, without a mark',
    );
  if (curlyQuotes.has(character))
    return stray('OPT104', `'${character}' is a typographic quote`, "write the straight quote '\"'");
  for (const [operator, hint] of operators)
    if (text.startsWith(operator, offset))
      return stray('OPT106', `'${operator}' is no operator here`, hint, operator.length);
  const known = mathematics[character];
  if (known) return stray('OPT104', `unexpected character '${character}'`, known);
  const code = (text.codePointAt(offset) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return stray(
    'OPT104',
    `unexpected character ${/[\p{L}\p{N}\p{P}\p{S}]/u.test(character) ? `'${character}' ` : ''}(U+${code})`,
    'names are made of Latin and Greek letters, digits and _; remove the character',
  );
}
