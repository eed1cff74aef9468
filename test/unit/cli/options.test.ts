/** Option values, names that can be set, exit codes, paths, imports: what is refused, and with which help. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkNames, dataPaths, settings, wholeNumber } from '../../../cli/options.ts';
import { exitCodeOf } from '../../../cli/outcome.ts';
import { specFiles } from '../../../cli/paths.ts';
import { describeData, importReader, openSpec, overridesBySource } from '../../../cli/spec.ts';
import { error, type Diagnostic } from '../../../compiler/diagnostics/diagnostic.ts';
import { inFolder, refusalOf } from '../data/refused.ts';

const refused = (act: () => unknown): Promise<Diagnostic> => refusalOf((async () => act())());

describe('--set', () => {
  it('takes numbers', () =>
    expect([...settings(['B=128', ' lr = 1e-3', 'x=-.5'])]).toEqual([
      ['B', 128],
      ['lr', 0.001],
      ['x', -0.5],
    ]));
  it.each(['B', '=3', 'B=', 'B=many', 'B=0x10', 'B=1e999', 'B=NaN', 'B=1,5'])('refuses %s', async (text) => {
    expect((await refused(() => settings([text]))).code).toBe('OPT803');
  });
  it('refuses a name twice', async () => expect((await refused(() => settings(['a=1', 'a=2']))).code).toBe('OPT803'));
  const spec = { dims: new Set(['B']), hypers: new Set(['lambda']), data: new Set(['train']) };
  it('suggests the name that was meant', async () => {
    const d = await refused(() => checkNames(new Map([['lamda', 1]]), new Map(), spec));
    expect(d.code).toBe('OPT802');
    expect(d.hint).toContain("'lambda'");
  });
  it.each([0, -1, 1.5])('refuses the dim %d', async (value) => {
    expect((await refused(() => checkNames(new Map([['B', value]]), new Map(), spec))).code).toBe('OPT803');
  });
  it('checks names of --data', async () => {
    expect((await refused(() => checkNames(new Map(), new Map([['trian', 'x']]), spec))).code).toBe('OPT807');
    expect([...dataPaths(['train=a=b.npz'])]).toEqual([['train', 'a=b.npz']]);
  });
});

it.each(['-1', '1.5', '', 'ten', '1e3', '99999999999'])('--seed refuses %j', async (text) => {
  expect((await refused(() => wholeNumber('--seed', text, 0, 2 ** 32 - 1))).code).toBe('OPT803');
});

it('exit codes follow the group of the code', () => {
  const of = (...codes: Diagnostic['code'][]) => exitCodeOf(codes.map((code) => error(code, undefined, '')));
  expect(of()).toBe(0);
  expect(of('OPT101')).toBe(1);
  expect(of('OPT501')).toBe(1);
  expect(of('OPT601')).toBe(3);
  expect(of('OPT709')).toBe(3);
  expect(of('OPT802')).toBe(2);
  expect(of('OPT900')).toBe(70);
  expect(of('OPT601', 'OPT101')).toBe(1);
});

it('folders are searched for specs', () =>
  inFolder(async (folder) => {
    for (const name of ['b', 'a/c', 'runs', 'node_modules/x']) mkdirSync(path.join(folder, name), { recursive: true });
    for (const file of ['z.opt', 'b/x.opt', 'a/c/y.opt', 'runs/no.opt', 'node_modules/x/no.opt', 'b/no.txt'])
      writeFileSync(path.join(folder, file), '');
    expect(specFiles([folder]).map((f) => path.relative(folder, f))).toEqual(['a/c/y.opt', 'b/x.opt', 'z.opt']);
    expect((await refused(() => specFiles([path.join(folder, 'runs', 'none')]))).code).toBe('OPT804');
    mkdirSync(path.join(folder, 'empty'));
    expect((await refused(() => specFiles([path.join(folder, 'empty')]))).code).toBe('OPT805');
  }));

describe('specs', () => {
  const withSpec = <T>(text: string, use: (file: string, folder: string) => Promise<T>) =>
    inFolder(async (folder) => {
      const file = path.join(folder, 'spec.opt');
      writeFileSync(file, text);
      return use(file, folder);
    });

  it('tells what can be set, also inside trials', () =>
    withSpec(
      'dim B = 4\ntrial t(flow) {\n  hyper lambda = flow\n}\ndata d from "iris" { x: f32[*, 4] }\ndata e = { x: zeros(3) }\n',
      async (file) => {
        const { settable } = openSpec(file, new Map());
        expect(settable).toEqual({ dims: new Set(['B']), hypers: new Set(['lambda']), data: new Set(['d']) });
      },
    ));

  it('describes data, located at their source', () =>
    withSpec(
      'data a from "iris" { x: f32[*, 4] }\ndata b from "irs:x" { x: f32[*, 4] }\ndata c from "gone.npz" { x: f32[*, 4] }\n',
      async (file) => {
        const spec = openSpec(file, new Map());
        const strict = await describeData(spec, new Map(), true);
        expect(strict.infos.get('iris')?.rows).toBe(150);
        expect(strict.diagnostics.map((d) => [d.code, d.severity, spec.source.slice(d.span!)])).toEqual([
          ['OPT603', 'error', '"irs:x"'],
          ['OPT601', 'error', '"gone.npz"'],
        ]);
        const lenient = await describeData(spec, new Map(), false);
        expect(lenient.diagnostics.map((d) => d.severity)).toEqual(['error', 'warning']);
        const given = await describeData(
          spec,
          new Map([
            ['irs:x', 'wine'],
            ['gone.npz', 'iris'],
          ]),
          true,
        );
        expect(given.diagnostics).toEqual([]);
        expect(given.infos.get('irs:x')?.rows).toBe(178);
      },
    ));

  it('declarations of one source are replaced together', () =>
    withSpec('data a from "iris" { x: f32[*, 4] }\ndata b from "iris" { x: f32[*, 4] }\n', async (file) => {
      const spec = openSpec(file, new Map());
      expect((await refused(() => overridesBySource(spec, new Map(), new Map([['a', 'f.npz']])))).code).toBe('OPT807');
      expect(
        (
          await refused(() =>
            overridesBySource(
              spec,
              new Map(),
              new Map([
                ['a', 'f'],
                ['b', 'g'],
              ]),
            ),
          )
        ).code,
      ).toBe('OPT807');
      const both = new Map([
        ['a', 'f'],
        ['b', 'f'],
      ]);
      expect(overridesBySource(spec, new Map(), both)).toEqual(new Map([['iris', 'f']]));
    }));

  it('a row may be declared in another grouping', () =>
    withSpec('data a from "mnist:test" { x: f32[*, 28, 28] }\n', async (file) => {
      const { infos } = await describeData(openSpec(file, new Map()), new Map(), true);
      expect(infos.get('mnist:test')?.fields[0].shape).toEqual([28, 28]);
    }));

  it('columns are resolved under the declared names', () =>
    withSpec('data a from "t.csv" { x: f32[*, 2] = 0..2, y: i32[*] = "kind" }\n', async (file, folder) => {
      writeFileSync(path.join(folder, 't.csv'), 'a,b,kind\n1,2,0\n');
      const { infos } = await describeData(openSpec(file, new Map()), new Map(), true);
      expect(infos.get('t.csv')?.fields.slice(0, 2)).toEqual([
        { name: 'x', dtype: 'f32', shape: [2], storage: 'f32', scale: 1 },
        { name: 'y', dtype: 'i32', shape: [], storage: 'i32', scale: 1 },
      ]);
    }));

  it('reads modules of the stdlib and beside the spec, and nothing outside', () =>
    withSpec('dim B = 4\n', async (file, folder) => {
      writeFileSync(path.join(folder, 'mine.opt'), 'fn f(x) = x\n');
      symlinkSync('/etc/passwd', path.join(folder, 'link.opt'));
      const read = importReader(openSpec(file, new Map()), new Map());
      expect(read('nn', file)?.text).toContain('layer linear');
      expect(read('nn', file)?.name).toBe('stdlib/nn.opt');
      expect(read('./mine.opt', file)?.text).toContain('fn f');
      expect(read('mine.opt', file)?.text).toContain('fn f');
      for (const module of [
        '../../../etc/passwd',
        '/etc/passwd',
        './link.opt',
        'link.opt',
        './absent',
        'absent',
        'nn\u0000',
        '..',
        '.',
        '../stdlib/nn',
        'file:///etc/passwd',
      ])
        expect(read(module, file), module).toBeUndefined();
    }));

  it.each([
    ['absent.opt', 'no file'],
    ['.', 'is a folder'],
  ])('refuses to open %s', async (file, text) => {
    const d = await refused(() => openSpec(file, new Map()));
    expect(d.code).toBe('OPT804');
    expect(d.message).toContain(text);
  });
});
