/**
 * Many texts as data, a row each: the first tokens of a text, as many as the row of the field is declared with, and 0 behind its end. A folder of .txt files has a
 * subfolder for each class, or is flat; its vocabularies lie in it.
 */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import type { FieldRequest } from './fields.ts';
import { readAll, type FolderFile } from './files.ts';
import { classArray, classesOf, shown } from './folders.ts';
import { MAX_BYTES, MAX_TEXT_BYTES } from './limits.ts';
import { damaged, quote, tooLarge } from './refusals.ts';
import { safeProduct, type RawArray, type RawTable } from './table.ts';
import { decodeUtf8, wordOf } from './text.ts';
import { noVocabulary, tokenColumn, tokenizerOf, type VocabularyFiles } from './tokens.ts';

type Fields = readonly Pick<FieldRequest, 'row' | 'column'>[];

/** A text file: endings in any case. */
const TEXT = /\.txt$/i;

/** The arrays of tokens that `fields` ask for. Words are counted in `counted` where no file lists them. Throws as `tokenizerOf` does, and OPT607. */
export async function tokenArrays(
  name: string,
  texts: readonly string[],
  fields: Fields,
  open: VocabularyFiles,
  counted: readonly string[] = texts,
): Promise<RawArray[]> {
  const arrays: RawArray[] = [];
  for (const { column, row } of fields) {
    const wanted = tokenColumn(column);
    if (!wanted) continue;
    const tokenizer = await tokenizerOf(wanted, counted, open);
    const declared = row && safeProduct(row);
    const codes = texts.map((text) => tokenizer.encode(text, declared));
    const width = declared ?? codes.reduce((most, c) => Math.max(most, c.length), 1);
    if (width * texts.length * 4 > MAX_BYTES)
      tooLarge(name, `${texts.length} rows of ${width} tokens`, 'declare shorter rows: i32[*, 64]');
    arrays.push(tokenArray(wordOf(column), codes, width));
  }
  return arrays;
}

function tokenArray(name: string, codes: readonly (readonly number[])[], width: number): RawArray {
  return {
    name,
    numbers: 'integer',
    shape: [codes.length, width],
    scale: 1,
    read: async (from, to) => {
      const rows = new Int32Array((to - from) * width);
      for (let i = from; i < to; i++) rows.set(codes[i], (i - from) * width);
      return rows;
    },
  };
}

/** The table of a folder of texts. Throws OPT605 to OPT608. */
export async function openTexts(folder: string, all: readonly FolderFile[], fields: Fields): Promise<RawTable> {
  const vocabularies = new Set(fields.map((f) => tokenColumn(f.column)?.file));
  const files = all.filter((f) => TEXT.test(f.path) && !vocabularies.has(f.path));
  if (files.length === 0) damaged(folder, 'a folder of .txt files', 'none');
  const classes = classesOf(folder, files, 'texts');
  const labels = classes ? [classArray(files, classes)] : [];
  const texts: string[] = [];
  let bytes = 0;
  for (const file of files) {
    const source = await file.open();
    try {
      bytes += source.size;
      if (bytes > MAX_TEXT_BYTES)
        tooLarge(folder, `texts of more than ${MAX_TEXT_BYTES} bytes together`, 'use fewer or shorter texts');
      texts.push(decodeUtf8(shown(folder, file), await readAll(source)));
    } finally {
      await source.close();
    }
  }
  const tokens = await tokenArrays(folder, texts, fields, (path) => {
    if (path === undefined) return noVocabulary(folder);
    const found = all.find((f) => f.path === path);
    if (found) return found.open();
    return fail('OPT601', undefined, `there is no vocabulary ${quote(path)} in ${quote(folder)}`, {
      hint: 'the vocabulary of a folder of texts lies in the folder itself',
    });
  });
  return { file: folder, rows: files.length, arrays: [...tokens, ...labels], anonymous: false };
}
