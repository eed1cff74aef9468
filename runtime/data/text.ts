/**
 * Texts as data: one row per character. A text gives the columns `characters` (its code among the distinct characters of the file, sorted by code point),
 * `codes` (the Unicode code point) and `bytes` (of UTF-8); the last counts rows in bytes and stands alone. Windows are taken by indexing, not stored.
 */
import { MAX_TEXT_BYTES } from './limits.ts';
import { damaged, tooLarge } from './refusals.ts';
import type { Numbers, RawArray, RawTable } from './table.ts';

/** Distinct characters sorted by code point: the code of a character is its place. */
export function vocabulary(text: string): string[] {
  return [...new Set(text)].sort((a, b) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0));
}

/** Opens a text in UTF-8. Throws OPT605 where the bytes are none. */
export function openText(file: string, bytes: Uint8Array): RawTable {
  return textTable(file, decodeUtf8(file, bytes));
}

function decodeUtf8(file: string, bytes: Uint8Array): string {
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
  const array = (name: string, numbers: 'integer', values: Numbers): RawArray => ({
    name,
    numbers,
    shape: [values.length],
    scale: 1,
    read: async (from, to) => values.slice(from, to),
  });
  const arrays = [
    array(
      'characters',
      'integer',
      points.map((p) => codeOf.get(p) as number),
    ),
    array('codes', 'integer', points),
    array('bytes', 'integer', new TextEncoder().encode(text)),
  ];
  return {
    file,
    rows: points.length,
    arrays,
    // One field needs no column.
    anonymous: true,
  };
}
