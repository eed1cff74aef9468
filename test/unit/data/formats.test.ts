/** Every format against files that others wrote (numpy, gzip) or that follow its published layout byte by byte. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { memoryFile } from '../../../runtime/data/files.ts';
import { openTable } from '../../../runtime/data/formats.ts';
import { writeNpy } from '../../../runtime/data/npy.ts';
import { writeNpz } from '../../../runtime/data/npz.ts';
import { openSafetensors, readSafetensorsHeader, writeSafetensors } from '../../../runtime/data/safetensors.ts';
import { refusalOf } from './refused.ts';

const fixture = (name: string) =>
  memoryFile(name, new Uint8Array(readFileSync(path.join(import.meta.dirname, 'fixtures', name))));
const base = [-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5];
const bytesOf = (text: string) => new TextEncoder().encode(text);

describe('npy as numpy writes it', () => {
  it.each(['f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'fortran', 'big', 'version2', 'version3'])('%s', async (name) => {
    const table = await openTable(fixture(`${name}.npy`));
    expect(table.rows).toBe(4);
    expect(table.arrays[0].shape).toEqual([4, 3]);
    expect(Array.from(await table.arrays[0].read(0, 4))).toEqual(base);
    expect(Array.from(await table.arrays[0].read(1, 3))).toEqual(base.slice(3, 9));
  });
  it.each(['u1', 'u2', 'u4'])('%s', async (name) => {
    const table = await openTable(fixture(`${name}.npy`));
    expect(Array.from(await table.arrays[0].read(0, 4))).toEqual(base.map((v) => v + 6));
    expect(table.arrays[0].numbers).toBe(name === 'u1' ? 'byte' : 'integer');
  });
  it('booleans', async () => {
    const table = await openTable(fixture('b1.npy'));
    expect(Array.from(await table.arrays[0].read(0, 4))).toEqual(base.map((v) => (v % 2 === 0 ? 1 : 0)));
  });
  it('Fortran order of three axes', async () => {
    const table = await openTable(fixture('fortran3.npy'));
    expect(Array.from(await table.arrays[0].read(0, 2))).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(Array.from(await table.arrays[0].read(1, 2))).toEqual(Array.from({ length: 12 }, (_, i) => i + 12));
  });
  it.each([
    ['object', 'Python objects'],
    ['half', 'half precision'],
    ['complex', "type '<c8'"],
    ['text', "type '<U1'"],
    ['record', 'structured array'],
    ['scalar', 'single number'],
  ])('refuses %s with the reason', async (name, reason) => {
    const d = await refusalOf(openTable(fixture(`${name}.npy`)));
    expect(d.code).toBe('OPT606');
    expect(d.message).toContain(reason);
    expect(d.hint).toBeTruthy();
  });
  it('refuses 64-bit integers that are not exact', async () => {
    const table = await openTable(fixture('wide.npy'));
    expect((await refusalOf(table.arrays[0].read(0, 2))).message).toContain('1152921504606846976');
  });
});

describe('npz', () => {
  it.each(['stored', 'deflated'])('%s by numpy', async (name) => {
    const table = await openTable(fixture(`${name}.npz`));
    expect(table.arrays.map((a) => [a.name, a.shape])).toEqual([
      ['x', [4, 3]],
      ['y', [4]],
    ]);
    expect(Array.from(await table.arrays[0].read(0, 4))).toEqual(base);
    expect(Array.from(await table.arrays[1].read(2, 4))).toEqual([2, 3]);
  });
  it.each([false, true])('round trip (compressed: %s)', async (compressed) => {
    const values = Float32Array.from(base, (v) => v / 3);
    const bytes = writeNpz(
      { a: { values, shape: [6, 2] }, b: { values: Int32Array.of(1, 2, 3, 4, 5, 6), shape: [6] } },
      compressed,
    );
    const table = await openTable(memoryFile('a.npz', bytes));
    expect(await table.arrays[0].read(0, 6)).toEqual(values);
    expect(await table.arrays[1].read(0, 6)).toEqual(Int32Array.of(1, 2, 3, 4, 5, 6));
    expect(writeNpz({ a: { values, shape: [6, 2] } })).toEqual(writeNpz({ a: { values, shape: [6, 2] } }));
  });
});

describe('idx', () => {
  const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 51, 102, 153, 204, 255);
  it('images are bytes of scale 1/255, also compressed', async () => {
    for (const file of [
      memoryFile('a.idx', images),
      memoryFile('a.idx.gz', gzipSync(images)),
      memoryFile('images', images),
    ]) {
      const { arrays } = await openTable(file);
      expect(arrays[0]).toMatchObject({ name: 'x', numbers: 'byte', shape: [2, 1, 3], scale: 1 / 255 });
      expect(Array.from(await arrays[0].read(1, 2))).toEqual([153, 204, 255]);
    }
  });
  it('the header of a large compressed file is read without decompressing the whole', async () => {
    const content = Uint8Array.from([
      0,
      0,
      8,
      2,
      0,
      0,
      0x40,
      0,
      0,
      0,
      0,
      64,
      ...Array.from({ length: 2 ** 20 }, (_, i) => (i * i * 31 + (i >> 7)) & 255),
    ]);
    const bytes = gzipSync(content, { level: 1 });
    let read = 0;
    const file = {
      ...memoryFile('a.idx.gz', bytes),
      read: async (offset: number, length: number) => {
        const part = new Uint8Array(bytes.subarray(offset, offset + length));
        read += part.length;
        return part;
      },
    };
    const { arrays } = await openTable(file);
    expect(arrays[0].shape).toEqual([0x4000, 64]);
    expect(read).toBeLessThan(2 ** 19);
    expect(bytes.length).toBeGreaterThan(2 ** 19);
    expect(await arrays[0].read(0x3fff, 0x4000)).toEqual(content.slice(-64));
  });
  it('big-endian floats and integers', async () => {
    const floats = Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0);
    expect(Array.from(await (await openTable(memoryFile('f.idx', floats))).arrays[0].read(0, 2))).toEqual([1, -2]);
    const shorts = Uint8Array.of(0, 0, 11, 1, 0, 0, 0, 2, 1, 2, 0xff, 0xff);
    expect(Array.from(await (await openTable(memoryFile('s.idx', shorts))).arrays[0].read(0, 2))).toEqual([258, -1]);
  });
});

describe('csv', () => {
  const open = (text: string, name = 't.csv') => openTable(memoryFile(name, bytesOf(text)));
  it('header, quotes, BOM, CRLF, blank lines', async () => {
    const table = await open('\ufeffa,"b, c",kind\r\n1,-2.5e1,x\r\n\r\n3,.5,"y"\r\n');
    expect(table.rows).toBe(2);
    expect(table.columns?.names).toEqual(['a', 'b, c', 'kind']);
    expect(table.arrays.map((a) => a.numbers)).toEqual(['integer', 'float', 'integer']);
    expect(Array.from(await table.arrays[1].read(0, 2))).toEqual([-25, 0.5]);
    const d = await refusalOf(table.arrays[2].read(0, 2));
    expect(d.code).toBe('OPT614');
    expect(d.message).toContain("line 2: column 'kind' holds 'x'");
  });
  it('without header; semicolons; tabs; gzip', async () => {
    for (const table of [
      await open('1,2\n3,4\n'),
      await open('1;2\n3;4'),
      await open('1\t2\n3\t4\n', 't.tsv'),
      await openTable(memoryFile('t.csv.gz', gzipSync('1,2\n3,4\n'))),
    ]) {
      expect(table.columns?.names).toBeUndefined();
      expect(Array.from(await table.columns!.array('x', 0, 2, false).read(0, 2))).toEqual([1, 2, 3, 4]);
    }
  });
  it.each([
    ['1,2\n3\n', 'line 2 has 1 cells'],
    ['a,b\n', 'only a header'],
    ['', 'empty file'],
    ['1,"2\n3,4', 'not a table'],
    ['\u0000\u0001', 'binary'],
  ])('refuses %j', async (text, reason) => {
    const d = await refusalOf(open(text));
    expect(d.message).toContain(reason);
    expect(['OPT605', 'OPT614']).toContain(d.code);
  });
  it.each(['', 'NaN', 'inf', '0x10', '1e', '--1', '1 2'])('a cell %j of a column in use is refused', async (text) => {
    const table = await open(`a,b\n1,2\n${text},4\n`);
    expect((await refusalOf(table.arrays[0].read(0, 2))).message).toContain('line 3');
  });
});

describe('safetensors', () => {
  const tensors = new Map([
    ['w', { values: Float32Array.of(1.5, -2, 3, 4), shape: [2, 2] }],
    ['n', { values: Int32Array.of(-7), shape: [] }],
    ['u', { values: Uint8Array.of(1, 2, 3), shape: [3] }],
  ]);
  it('round trip with metadata', async () => {
    const file = memoryFile('c.safetensors', writeSafetensors(tensors, { seed: '3' }));
    const header = await readSafetensorsHeader(file);
    expect(header.metadata.get('seed')).toBe('3');
    expect(header.entries.map((e) => [e.name, e.element, e.shape])).toEqual([
      ['w', 'f4', [2, 2]],
      ['n', 'i4', []],
      ['u', 'u1', [3]],
    ]);
    expect(header.entries[0].start % 8).toBe(0);
    const table = await openSafetensors(file);
    expect(Array.from(await table.arrays[0].read(1, 2))).toEqual([3, 4]);
  });
  const crafted = (header: string, content = 16) => {
    const json = bytesOf(header);
    const bytes = new Uint8Array(8 + json.length + content);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
    bytes.set(json, 8);
    return memoryFile('bad.safetensors', bytes);
  };
  const t = (more: string) => `{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}${more}}`;
  it('accepts the crafted file that the refusals vary', async () => {
    expect((await readSafetensorsHeader(crafted(t('')))).entries).toHaveLength(1);
  });
  it.each([
    ['overlap', t(',"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}'), 16],
    ['hole', '{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}', 16],
    ['trailing bytes', t(''), 20],
    ['offsets past the end', '{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}}', 16],
    ['offsets backwards', '{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}', 16],
    ['size against shape', '{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}', 16],
    ['overflowing shape', '{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,16]}}', 16],
    ['negative dim', '{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}', 16],
    ['fractional dim', '{"a":{"dtype":"F32","shape":[4.5],"data_offsets":[0,16]}}', 16],
    ['shape that is text', '{"a":{"dtype":"F32","shape":"4","data_offsets":[0,16]}}', 16],
    ['unknown dtype', '{"a":{"dtype":"BF16","shape":[8],"data_offsets":[0,16]}}', 16],
    ['null entry', '{"a":null}', 0],
    ['list', '[1]', 0],
    ['metadata that is no text', '{"__metadata__":{"a":1}}', 0],
    ['no JSON', '{"a":', 0],
    ['too many axes', `{"a":{"dtype":"F32","shape":[${Array(17).fill(1)}],"data_offsets":[0,4]}}`, 4],
  ])('refuses %s', async (_name, header, content) => {
    const d = await refusalOf(readSafetensorsHeader(crafted(header, content)));
    expect(['OPT605', 'OPT606']).toContain(d.code);
    expect(d.message).toContain('bad.safetensors');
  });
  it('a name such as __proto__ is only a name', async () => {
    const file = crafted('{"__proto__":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}');
    expect((await readSafetensorsHeader(file)).entries[0].name).toBe('__proto__');
    expect(Object.hasOwn(Object.prototype, 'dtype')).toBe(false);
  });
  it('refuses a header length beyond its cap without reading it', async () => {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setBigUint64(0, 2n ** 62n, true);
    expect((await refusalOf(readSafetensorsHeader(memoryFile('h', bytes)))).code).toBe('OPT607');
  });
});

it('npy round trip of every element type', async () => {
  for (const make of [
    Float32Array,
    Float64Array,
    Int8Array,
    Int16Array,
    Int32Array,
    Uint8Array,
    Uint16Array,
    Uint32Array,
  ]) {
    const values = make.from([0, 1, 2, 3, 100, 127]);
    const table = await openTable(memoryFile('a.npy', writeNpy(values, [3, 2])));
    expect(await table.arrays[0].read(0, 3)).toEqual(values);
  }
});
