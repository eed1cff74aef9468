/**
 * Tokenizers: from a text to codes. Words are counted in the text, or listed in a file; pieces are those of a SentencePiece unigram model (Kudo, ACL 2018), whose
 * vocabulary carries their log probabilities. The code 0 is what no vocabulary holds, and what stands behind the end of a text in a row.
 */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import { readAll, type ByteSource } from './files.ts';
import { MAX_VOCABULARY_BYTES } from './limits.ts';
import { damaged, quote, tooLarge } from './refusals.ts';

export interface Tokenizer {
  /** Codes lie in 0..size. */
  readonly size: number;
  /** Codes of a text, at most `most` of them: the first. */
  encode(text: string, most?: number): number[];
}

/** What a column asks for: `"words"`, `"words:5000"`, `"words:list.txt"`, `"pieces:vocab.json"`, or `"pieces"` where a set has a vocabulary of its own. */
export interface TokenColumn {
  readonly kind: 'words' | 'pieces';
  /** Number of codes, the 0 among them; all words by default. */
  readonly most?: number;
  readonly file?: string;
}

/** Reads the text of a column, or returns undefined where it asks for no tokens. */
export function tokenColumn(column: string | undefined): TokenColumn | undefined {
  const found = /^(words|pieces)(?::(.+))?$/s.exec(column?.trim().replace(/^"(.*)"$/s, '$1') ?? '');
  if (!found) return undefined;
  const kind = found[1] as TokenColumn['kind'];
  if (found[2] === undefined) return { kind };
  const most = /^[1-9]\d{0,6}$/.test(found[2]) ? Number(found[2]) : undefined;
  if (most !== undefined && kind === 'words') return { kind, most };
  return { kind, file: found[2] };
}

/** Opens the file of a vocabulary; without a path, the one that belongs to the data, if there is any. */
export type VocabularyFiles = (path: string | undefined) => Promise<ByteSource>;

/**
 * The tokenizer of a column. `texts` are what words are counted in where no file lists them.
 * Throws OPT601, OPT602, OPT605, OPT607, OPT608 about a file.
 */
export async function tokenizerOf(
  column: TokenColumn,
  texts: Iterable<string>,
  open: VocabularyFiles,
): Promise<Tokenizer> {
  if (column.kind === 'words' && column.file === undefined) return wordTokenizer(frequentWords(texts, column.most));
  const source = await open(column.file);
  try {
    return column.kind === 'words' ? wordTokenizer(await readWords(source)) : pieceTokenizer(await readPieces(source));
  } finally {
    await source.close();
  }
}

/** Refuses pieces without a vocabulary (OPT608). */
export function noVocabulary(file: string): never {
  return fail('OPT608', undefined, `${quote(file)} has no vocabulary of pieces of its own`, {
    hint: 'name one: = "pieces:vocab.json" (or a .vocab of SentencePiece), a file beside the data',
  });
}

// ---------------------------------------------------------------- words

/** Runs of letters and digits, also with apostrophes within; every other character that is no space stands alone. Letters are made small, forms of one character alike (NFKC). */
export function wordsOf(text: string): string[] {
  return text.normalize('NFKC').toLowerCase().match(WORD) ?? [];
}
const WORD = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*|[^\s]/gu;

/** Words by falling frequency, those of one frequency by code point: the code of a word is its place, from 1. `most` counts the code 0. */
export function frequentWords(texts: Iterable<string>, most = Infinity): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const sorted = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return sorted.slice(0, most - 1).map(([word]) => word);
}

/** Words to their places in the list, from 1. */
export function wordTokenizer(words: readonly string[]): Tokenizer {
  const codes = new Map(words.map((word, i) => [word, i + 1]));
  return {
    size: words.length + 1,
    encode: (text, most) =>
      wordsOf(text)
        .slice(0, most)
        .map((word) => codes.get(word) ?? 0),
  };
}

/** One word a line. */
async function readWords(file: ByteSource): Promise<string[]> {
  const words = (await readLines(file)).map((line) => line.normalize('NFKC').toLowerCase());
  const known = new Set<string>();
  for (const word of words) {
    if (known.has(word))
      damaged(file.name, 'each word once', `${quote(word)} twice`, 'words are told apart in small letters');
    if (word !== '') known.add(word);
  }
  return words;
}

// ---------------------------------------------------------------- pieces

interface Node {
  readonly next: Map<string, Node>;
  /** Code of the piece that ends here. */
  code?: number;
}

/** A space, as vocabularies of SentencePiece write it. */
const SPACE = '\u2581';
/** What an unknown character costs beyond the rarest piece (SentencePiece's kUnkPenalty). */
const UNKNOWN_PENALTY = 10;

/** The score is the logarithm of a probability; null counts as 0. */
export type Piece = readonly [text: string, score: number | null];

/**
 * The most probable segmentation of a text into pieces (Viterbi). Runs of white space count as one, and one stands before the text. The pieces of score 0
 * that begin the vocabulary are control symbols and match no text; a run of characters that are in no piece has the code 0. Of two equal segmentations the one whose
 * last piece begins earlier is taken, as SentencePiece does. Where no piece has a space within, words are cut on their own.
 */
export function pieceTokenizer(pieces: readonly Piece[]): Tokenizer {
  const root: Node = { next: new Map() };
  let worst = 0;
  let across = false;
  const scores = Float64Array.from(pieces, ([, score]) => score ?? 0);
  const first = Math.max(
    1,
    pieces.findIndex(([, score]) => score !== 0),
  );
  for (const [code, [text]] of pieces.entries()) {
    if (code < first) continue;
    worst = Math.min(worst, scores[code]);
    across ||= text.indexOf(SPACE, 1) > 0;
    insert(root, text, code);
  }
  const cut = (word: string) => segment(word, root, scores, worst - UNKNOWN_PENALTY);
  const known = new Map<string, number[]>();
  return {
    size: pieces.length,
    encode: (text, most = Infinity) => {
      const words = text.normalize('NFKC').trim().split(/\s+/);
      if (words.length === 1 && words[0] === '') return [];
      const codes: number[] = [];
      for (const word of across ? [words.join(SPACE)] : words) {
        let found = known.get(word);
        if (!found) known.set(word, (found = cut(SPACE + word)));
        for (const code of found) if (code !== 0 || codes.at(-1) !== 0) codes.push(code);
        if (codes.length >= most) return codes.slice(0, most);
      }
      return codes;
    },
  };
}

function insert(root: Node, text: string, code: number): void {
  let node = root;
  for (const c of text) {
    let next = node.next.get(c);
    if (!next) node.next.set(c, (next = { next: new Map() }));
    node = next;
  }
  node.code = code;
}

/** Codes of the best path from the first to the last character; an unknown character is a step of its own. */
function segment(word: string, root: Node, scores: Float64Array, unknown: number): number[] {
  const symbols = [...word];
  const best = new Float64Array(symbols.length + 1).fill(-Infinity);
  const from = new Int32Array(symbols.length + 1);
  const by = new Int32Array(symbols.length + 1);
  best[0] = 0;
  const reach = (start: number, end: number, code: number, score: number) => {
    if (score <= best[end]) return;
    best[end] = score;
    from[end] = start;
    by[end] = code;
  };
  for (let start = 0; start < symbols.length; start++) {
    reach(start, start + 1, 0, best[start] + unknown);
    let node: Node | undefined = root;
    for (let end = start; end < symbols.length && (node = node.next.get(symbols[end])); end++)
      if (node.code !== undefined) reach(start, end + 1, node.code, best[start] + scores[node.code]);
  }
  const codes: number[] = [];
  for (let end = symbols.length; end > 0; end = from[end]) if (by[end] !== 0 || codes.at(-1) !== 0) codes.push(by[end]);
  return codes.reverse();
}

/** A vocabulary: `[["piece", score], …]` in JSON, or lines `piece TAB score` as SentencePiece writes them (`.vocab`). The first stands for what is unknown. */
async function readPieces(file: ByteSource): Promise<Piece[]> {
  const pieces: unknown = /\.json$/i.test(file.name)
    ? parseJson(file.name, await readText(file))
    : (await readLines(file)).map((line) => {
        const [text, score] = line.split('\t');
        return [text, score === undefined || score === '' ? NaN : Number(score)];
      });
  if (!Array.isArray(pieces) || pieces.length < 2) damaged(file.name, 'a list of pieces with scores', 'none');
  const odd = (pieces as unknown[]).findIndex((p) => !isPiece(p));
  if (odd >= 0)
    damaged(
      file.name,
      'a piece and its score (the logarithm of its probability)',
      `another entry at place ${odd}`,
      'take the vocabulary of a SentencePiece unigram model: its .vocab, or [["piece", score], …] in JSON',
    );
  return pieces as Piece[];
}

function isPiece(value: unknown): value is Piece {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === 'string' &&
    value[0] !== '' &&
    (value[1] === null || Number.isFinite(value[1]))
  );
}

// ---------------------------------------------------------------- files

async function readText(file: ByteSource): Promise<string> {
  if (file.size > MAX_VOCABULARY_BYTES)
    tooLarge(
      file.name,
      `a vocabulary of ${file.size} bytes, at most ${MAX_VOCABULARY_BYTES} are read`,
      'leave out what is rare',
    );
  const text = new TextDecoder('utf-8', { fatal: true });
  try {
    return text.decode(await readAll(file));
  } catch {
    return damaged(file.name, 'text in UTF-8', 'other bytes');
  }
}

async function readLines(file: ByteSource): Promise<string[]> {
  const lines = (await readText(file)).split(/\r?\n/);
  while (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) damaged(file.name, 'one entry a line', 'none');
  return lines;
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    return damaged(file, 'JSON', cause instanceof Error ? cause.message.slice(0, 120) : 'other text');
  }
}
