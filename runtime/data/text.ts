/**
 * Texts as data: one row per character, byte or token. A text gives the columns `characters` (its code among the distinct characters of the file, sorted by code
 * point), `codes` (the Unicode code point), `bytes` (of UTF-8), and the tokens that a field asks for (`tokens.ts`). Rows are counted in what the column holds.
 * Windows are taken by indexing, not stored.
 */
import type { FieldRequest } from './fields.ts';
import { readAll, type ByteSource } from './files.ts';
import { MAX_TEXT_BYTES } from './limits.ts';
import { damaged, tooLarge, unsupported } from './refusals.ts';
import type { Numbers, RawArray, RawTable } from './table.ts';
import { noVocabulary, tokenColumn, tokenizerOf } from './tokens.ts';

/** Distinct characters sorted by code point: the code of a character is its place. */
export function vocabulary(text: string): string[] {
  return [...new Set(text)].sort((a, b) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0));
}

/** Opens a text in UTF-8, with the tokens that `fields` ask for; a vocabulary lies beside it. Throws OPT605 where the bytes are no text. */
export async function openText(file: ByteSource, fields: readonly Pick<FieldRequest, 'column'>[]): Promise<RawTable> {
  const text = decodeUtf8(file.name, await readAll(file));
  const table = textTable(file.name, text);
  const tokens: RawArray[] = [];
  for (const { column } of fields) {
    const wanted = tokenColumn(column);
    if (!wanted) continue;
    const tokenizer = await tokenizerOf(wanted, [text], (path) =>
      path === undefined
        ? noVocabulary(file.name)
        : (file.sibling?.(path) ?? unsupported(file.name, 'further files', 'give the text as a file on disk')),
    );
    const codes = Int32Array.from(tokenizer.encode(text));
    if (codes.length === 0) damaged(file.name, 'at least one token', 'none');
    tokens.push(integers(wordOf(column), codes));
  }
  return { ...table, arrays: [...table.arrays, ...tokens] };
}

/** The text of a column without its quotes. */
export function wordOf(column: string | undefined): string {
  return (column ?? '').trim().replace(/^"(.*)"$/s, '$1');
}

function integers(name: string, values: Numbers): RawArray {
  return {
    name,
    numbers: 'integer',
    shape: [values.length],
    scale: 1,
    read: async (from, to) => values.slice(from, to),
  };
}

/** Bytes of a text in UTF-8 as a string. Throws OPT605, OPT607. */
export function decodeUtf8(file: string, bytes: Uint8Array): string {
  if (bytes.length > MAX_TEXT_BYTES)
    tooLarge(
      file,
      `a text of ${bytes.length} bytes, at most ${MAX_TEXT_BYTES} are read`,
      'split it into several files',
    );
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return damaged(file, 'text in UTF-8', 'other bytes', 'save the file in UTF-8 (binary data have other endings)');
  }
}

/** The table of a text. A field without a column takes `characters`. */
export function textTable(file: string, text: string): RawTable {
  if (text === '') damaged(file, 'at least one character', 'none');
  const points = Uint32Array.from(text as Iterable<string>, (c) => c.codePointAt(0) as number);
  const codeOf = new Map(vocabulary(text).map((c, i) => [c.codePointAt(0) as number, i]));
  return {
    file,
    rows: points.length,
    arrays: [
      integers(
        'characters',
        points.map((p) => codeOf.get(p) as number),
      ),
      integers('codes', points),
      integers('bytes', new TextEncoder().encode(text)),
    ],
    // One field needs no column.
    anonymous: true,
  };
}
