/** Initial values from files: --load of safetensors, checkpoints and the weights of TensorFlow.js, whole or not at all. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import { compileFile, load } from '../../../node.ts';
import { openSpec } from '../../../cli/spec.ts';
import { compileSpec } from '../../../cli/compile.ts';
import { memoryFile } from '../../../runtime/data/files.ts';
import { openTable } from '../../../runtime/data/formats.ts';
import { describeSource, loadSource } from '../../../runtime/data/load.ts';
import { nodeDataHost } from '../../../runtime/data/node-files.ts';
import { writeSafetensors } from '../../../runtime/data/safetensors.ts';
import { createReferenceBackend } from '../../../runtime/reference/backend.ts';
import { field, inFolder, refusalOf } from './refused.ts';

const text = `
use nn { linear, relu }
use rules { sgd }
data d = { x: zeros(8, 3) + 1 }
model Net(x: f32[n, 3]) { linear(relu(linear(x, 2)), 1)[:, 0] }
trial t(k) {
  metric before = mean(Net(d.x))
  train 2 {
    batch b = d[4]
    update Net by sgd(0) minimizing mean((Net(b.x) - k)^2)
  }
}
run a = t(1)
run b = t(2)
`;
const tensors = {
  'linear_0.W': { values: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] },
  'linear_0.b': { values: Float32Array.of(0.5, -20), shape: [2] },
  'linear_1.W': { values: Float32Array.of(2, 3), shape: [2, 1] },
  'linear_1.b': { values: Float32Array.of(-1), shape: [1] },
};
// x is 1: hidden (1 + 3 + 5 + 0.5, relu(12 - 20)), output 2 * 9.5 - 1.
const output = 18;

type Tensors = Readonly<Record<string, { values: Float32Array; shape: number[] }>>;

async function compiled<T>(
  given: Tensors | string,
  use: (c: Awaited<ReturnType<typeof compileFile>>, spec: string) => Promise<T>,
  model = 'Net',
) {
  return inFolder(async (folder) => {
    const spec = path.join(folder, 's.opt');
    writeFileSync(spec, text);
    const file = typeof given === 'string' ? given : path.join(folder, 'w.safetensors');
    if (typeof given !== 'string') writeFileSync(file, writeSafetensors(new Map(Object.entries(given))));
    return use(await compileFile(spec, { load: { [model]: file } }), spec);
  });
}

/** Every diagnostic of a refusal. */
async function mistakes(given: Tensors, model = 'Net') {
  try {
    await compiled(given, async () => {}, model);
  } catch (cause) {
    if (cause instanceof SaddleError) return cause.diagnostics.filter((d) => d.severity === 'error');
    throw cause;
  }
  throw new Error('expected a refusal');
}

const prefixed = (prefix: string, of: Tensors = tensors): Tensors =>
  Object.fromEntries(Object.entries(of).map(([name, t]) => [prefix + name, t]));

describe('--load', () => {
  it.each([
    ['paths within the model', tensors],
    ['with the name of the model', prefixed('Net.')],
    [
      'a file of a run: other models and states beside it',
      { ...prefixed('a/Net.'), 'a/Net.linear_0.W#adam.m': tensors['linear_0.W'], 'a/Other.W': tensors['linear_0.b'] },
    ],
  ] as const)('%s: every run starts from them, what reads the first values too', (_name, given) =>
    compiled(given, async ({ bundle, data }, spec) => {
      const opened = new Map();
      const program = compileSpec(openSpec(spec, opened), opened, {
        set: new Map(),
        infos: new Map(),
        stage: 'program',
        weights: new Map([
          [
            'Net',
            {
              source: 'load:Net',
              file: 'w',
              tensors: new Map(Object.entries(tensors).map(([n, t]) => [n, { name: n, shape: t.shape }])),
            },
          ],
        ]),
      }).program;
      const session = await load(bundle).start({ backend: createReferenceBackend(program), data });
      for await (const report of session.train()) void report;
      for (const run of ['a', 'b'])
        expect(session.results.runs.get(run)?.series.get('before')?.values).toEqual([output]);
      const cells = await session.get('b.Net');
      expect(Array.from(cells['b/Net.linear_0.W'].values)).toEqual([1, 2, 3, 4, 5, 6]);
      await session.dispose();
    }),
  );

  it('names each mistake at its parameter, and loads nothing', async () => {
    const { 'linear_1.b': _left, ...rest } = tensors;
    const found = await mistakes({
      ...rest,
      'linear_0.W': { values: new Float32Array(6), shape: [2, 3] },
      'linear_1.bias': { values: new Float32Array(1), shape: [1] },
    });
    expect(found.map((d) => [d.code, d.message])).toEqual([
      ['OPT655', expect.stringContaining("Net.linear_0.W is f32[3, 2], but 'linear_0.W'")],
      ['OPT655', expect.stringContaining('no tensor for the parameter Net.linear_1.b (f32[1])')],
      ['OPT655', expect.stringContaining("holds 'linear_1.bias', but Net has no parameter linear_1.bias")],
    ]);
    for (const d of found) expect(d.hint).toBeTruthy();
    expect(found[1].hint).toContain('linear_1.bias');
  });

  it('a number that is not finite is told of by its tensor and place', async () => {
    const values = Float32Array.of(1, 2, 3, NaN, 5, 6);
    const given = { ...tensors, 'linear_0.W': { values, shape: [3, 2] } };
    const refused = compiled(given, async ({ bundle, data }, spec) => {
      const { program } = compileSpec(openSpec(spec, new Map()), new Map(), { set: new Map(), infos: new Map(), stage: 'program' }); // prettier-ignore
      const session = await load(bundle).start({ backend: createReferenceBackend(program), data });
      await session.dispose();
    });
    const d = await refusalOf(refused);
    expect(d).toMatchObject({ code: 'OPT611', hint: expect.stringContaining('saved before') });
    expect(d.message).toContain("w.safetensors': number [1, 1] of the tensor 'linear_0.W' is NaN");
  });

  it('a missing file is a path of the command, not of the spec', async () => {
    const d = await refusalOf(compiled('nowhere.safetensors', async () => {}));
    expect(d).toMatchObject({ code: 'OPT601', message: "there is no file 'nowhere.safetensors'" });
    expect(d.hint).toContain('relative to the folder in which it runs');
  });

  it('states of layers: all of a file or none of it', () =>
    inFolder(async (folder) => {
      const spec = path.join(folder, 's.opt');
      const file = path.join(folder, 'w.safetensors');
      writeFileSync(
        spec,
        'use nn { batch_norm }\nmodel Net(x: f32[n, 2], train) { batch_norm(x, train: train) as norm } allow OPT417\nmetric m = sum(Net(ones(3, 2), false))\n',
      );
      const two = { values: Float32Array.of(1, 2), shape: [2] };
      const refused = async (names: readonly string[]) => {
        writeFileSync(file, writeSafetensors(new Map(names.map((n) => [`norm.${n}`, two]))));
        return compileFile(spec, { load: { Net: file } }).then(
          () => [],
          (cause: SaddleError) => cause.diagnostics.filter((d) => d.severity === 'error').map((d) => d.message),
        );
      };
      expect(await refused(['scale', 'shift'])).toEqual([]);
      expect(await refused(['scale', 'shift', 'centre', 'spread'])).toEqual([]);
      expect(await refused(['scale', 'shift', 'centre'])).toEqual([
        expect.stringContaining('no tensor for the state Net.norm.spread (f32[2])'),
      ]);
    }));

  it('a model that is not there, and a file of several runs', async () => {
    expect((await mistakes(tensors, 'Nett'))[0]).toMatchObject({
      code: 'OPT655',
      hint: expect.stringContaining('Net'),
    });
    const d = await mistakes({ ...prefixed('a/Net.'), ...prefixed('b/Net.') });
    expect(d[0].message).toContain('of several runs');
  });
});

it('two declarations of one file may differ in rows, and give parameters under any names', () =>
  inFolder(async (folder) => {
    const spec = path.join(folder, 's.opt');
    writeFileSync(path.join(folder, 'w.safetensors'), writeSafetensors(new Map(Object.entries(tensors))));
    writeFileSync(
      spec,
      `data a from "w.safetensors" { W: f32[*, 2] = "linear_0.W" }
data c from "w.safetensors" { v: f32[*] = "linear_0.b" }
model Net(x: f32[n, 3]) {
  param W: f32[3, 2] = a.W
  param b: f32[2] = c.v
  x @ W + b
}
metric m = sum(Net(ones(1, 3)))
`,
    );
    const { bundle, data } = await compileFile(spec);
    expect(bundle.data.map((d) => d.rows)).toEqual([3, 2]);
    const values = await Promise.all(bundle.data.map((d) => data(d)));
    expect(values[1].v).toEqual(Float32Array.of(0.5, -20));
  }));

describe('weights of TensorFlow.js', () => {
  const manifest = (weights: unknown, paths: unknown = ['s1', 's2']) =>
    JSON.stringify({ weightsManifest: [{ paths, weights }] });
  const named = [
    { name: 'enc/kernel', shape: [3, 2], dtype: 'float32' },
    { name: 'enc/const', shape: [], dtype: 'int32' },
    { name: 'enc/ids', shape: [2], dtype: 'int32' },
  ];
  const numbers = new Uint8Array(36);
  new Float32Array(numbers.buffer, 0, 6).set([1, 2, 3, 4, 5, 6]);
  new Int32Array(numbers.buffer, 24, 3).set([7, 8, 9]);
  const inModel = <T>(
    json: string,
    use: (host: ReturnType<typeof nodeDataHost>) => Promise<T>,
    second = numbers.subarray(10),
  ) =>
    inFolder(async (folder) => {
      mkdirSync(path.join(folder, 'm'));
      writeFileSync(path.join(folder, 'm', 'model.json'), json);
      writeFileSync(path.join(folder, 'm', 's1'), numbers.subarray(0, 10));
      writeFileSync(path.join(folder, 'm', 's2'), second);
      writeFileSync(path.join(folder, 'secret'), numbers);
      return use(nodeDataHost({ specFolder: folder, workingFolder: folder }));
    });

  it('are data by their names, over the borders of shards', () =>
    inModel(manifest(named), async (host) => {
      const info = await describeSource('m/model.json', host, [{ name: 'K', column: '"enc/kernel"' }]);
      expect(info.rows).toBe(3);
      const k = await loadSource('m/model.json', [field('K', 'f32', [2, 2], { column: '"enc/kernel"' })], [1, 3], host);
      expect(Array.from(k.fields.get('K')!)).toEqual([3, 4, 5, 6]);
      const ids = await loadSource('m/model.json', [field('i', 'i32', [2], { column: '"enc/ids"' })], undefined, host);
      expect(Array.from(ids.fields.get('i')!)).toEqual([8, 9]);
      const one = await loadSource(
        'm/model.json',
        [field('c', 'i32', [1], { column: '"enc/const"' })],
        undefined,
        host,
      );
      expect(Array.from(one.fields.get('c')!)).toEqual([7]);
    }));

  it.each([
    ['a shard too short', manifest(named), 'OPT605', numbers.subarray(11)],
    ['a shard elsewhere', manifest(named, ['s1', '../secret']), 'OPT602', undefined],
    ['an absolute shard', manifest(named, ['/etc/passwd', 's2']), 'OPT602', undefined],
    ['a shard that is not there', manifest(named, ['s1', 's3']), 'OPT601', undefined],
    ['quantized', manifest([{ ...named[0], quantization: { dtype: 'uint8' } }]), 'OPT606', undefined],
    ['an impossible shape', manifest([{ ...named[0], shape: [3, -2] }]), 'OPT605', undefined],
    ['a product beyond numbers', manifest([{ ...named[0], shape: [2 ** 40, 2 ** 40] }]), 'OPT605', undefined],
    ['more than there is', manifest([{ ...named[0], shape: [2 ** 20, 2 ** 12] }]), 'OPT607', undefined],
    ['names of another kind', manifest([{ ...named[0], name: 3 }]), 'OPT605', undefined],
    ['no manifest', '{"weights": 1}', 'OPT606', undefined],
    ['cut off', manifest(named).slice(0, 40), 'OPT605', undefined],
    ['a list', '[1, 2]', 'OPT606', undefined],
  ])('refuses: %s', (_name, json, code, second) =>
    inModel(
      json,
      async (host) => {
        const d = await refusalOf(
          loadSource('m/model.json', [field('K', 'f32', [3, 2], { column: '"enc/kernel"' })], undefined, host),
        );
        expect(d.code).toBe(code);
        expect(d.hint).toBeTruthy();
      },
      second,
    ),
  );

  it('need a file with others beside it', async () => {
    const table = await openTable(memoryFile('model.json', new TextEncoder().encode(manifest(named))));
    expect((await refusalOf(table.arrays[0].read(0, 1))).code).toBe('OPT606');
  });
});
