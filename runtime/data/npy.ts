/**
 * numpy's npy format, versions 1 to 3: magic, version, header length, a Python dict literal { 'descr', 'fortran_order', 'shape' },
 * then the numbers. The dict is read by a small scanner of its own; nothing is evaluated. Arrays in Fortran order are brought to
 * row-major when they are read. Writer included, for caches and tests.
 */
import type { ByteSource } from './files.ts';
import { decode, elementBytes, elementNumbers, type Element } from './elements.ts';
import { MAX_AXES, MAX_FILE_BYTES, MAX_NPY_HEADER } from './limits.ts';
import { damaged, quote, tooLarge, unsupported } from './refusals.ts';
import { rowSize, safeProduct, type Numbers, type RawArray } from './table.ts';

/** Bytes from which a header can always be read: magic, version, length, longest header. */
export const NPY_START = 12 + MAX_NPY_HEADER;

export interface NpyHeader {
  readonly element: Element;
  readonly littleEndian: boolean;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  /** Where the numbers start, and how many bytes they take. */
  readonly offset: number;
  readonly bytes: number;
}

export function isNpy(start: Uint8Array): boolean {
  return start.length >= 6 && start[0] === 0x93 && String.fromCharCode(...start.subarray(1, 6)) === 'NUMPY';
}

/** Reads a header from the first bytes of a file (`NPY_START` of them always suffice). Throws OPT605 to OPT607. */
export function readNpyHeader(file: string, start: Uint8Array): NpyHeader {
  if (!isNpy(start)) damaged(file, "numpy's magic bytes", start.length === 0 ? 'an empty file' : 'other bytes');
  if (start.length < 10) damaged(file, 'an npy header', `${start.length} bytes`);
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  const version = start[6];
  if (version < 1 || version > 3 || start[7] !== 0)
    unsupported(file, `npy version ${version}.${start[7]}`, 'write it with numpy.save, which uses version 1, 2 or 3');
  const lengthBytes = version === 1 ? 2 : 4;
  if (start.length < 8 + lengthBytes) damaged(file, 'an npy header', `${start.length} bytes`);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_NPY_HEADER) tooLarge(file, `its npy header has ${length} bytes, at most ${MAX_NPY_HEADER} are read`);
  const offset = 8 + lengthBytes + length;
  if (start.length < offset) damaged(file, `an npy header of ${length} bytes`, `${start.length - 8 - lengthBytes}`);
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(start.subarray(8 + lengthBytes, offset));
  const { descr, fortran, shape } = readDict(file, text);
  const { element, littleEndian } = readDescr(file, descr);
  if (shape.length > MAX_AXES) tooLarge(file, `it has ${shape.length} axes, at most ${MAX_AXES} are read`);
  const count = safeProduct(shape);
  const bytes = count === undefined ? undefined : count * elementBytes(element);
  if (bytes === undefined || bytes > MAX_FILE_BYTES)
    return tooLarge(file, `its header declares ${shape.join(' x ')} elements of ${elementBytes(element)} bytes`);
  return { element, littleEndian, fortran, shape, offset, bytes };
}

/** The three entries of the header's dict, in any order. */
function readDict(file: string, text: string): { descr: string; fortran: boolean; shape: number[] } {
  const body = /^\s*\{(.*?),?\s*\}\s*$/s.exec(text)?.[1];
  const bad = (): never =>
    damaged(file, "a header { 'descr': …, 'fortran_order': …, 'shape': … }", quote(text.slice(0, 80).trim()));
  if (body === undefined) return bad();
  if (/'descr'\s*:\s*\[/.test(body))
    unsupported(file, 'records (a structured array)', 'store each of its fields as an array of its own in an npz file');
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(body)?.[1];
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(body)?.[1];
  const dims = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(body)?.[1];
  if (descr === undefined || fortran === undefined || dims === undefined) return bad();
  const parts = dims.split(',').map((part) => part.trim().replace(/L$/, ''));
  if (parts.at(-1) === '') parts.pop();
  if (parts.some((part) => !/^\d{1,15}$/.test(part))) return bad();
  return { descr, fortran: fortran === 'True', shape: parts.map(Number) };
}

function readDescr(file: string, descr: string): { element: Element; littleEndian: boolean } {
  const match = /^([<>|=])([fiub])(\d+)$/.exec(descr);
  const element = match ? `${match[2]}${match[3]}` : '';
  if (match && ['f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'b1'].includes(element))
    return { element: element as Element, littleEndian: match[1] !== '>' };
  const kind = /^[<>|=]?f2$/.test(descr)
    ? 'half precision numbers'
    : descr.includes('O')
      ? 'Python objects'
      : `elements of type ${quote(descr)}`;
  return unsupported(file, kind, "convert before saving: x.astype('f4') for numbers, y.astype('i4') for classes");
}

/** An npy array whose content is at `file`, starting at byte 0. Throws OPT605 where the size does not fit the header. */
export async function openNpy(file: ByteSource, name: string): Promise<RawArray> {
  const header = readNpyHeader(file.name, await file.read(0, NPY_START));
  if (file.size !== header.offset + header.bytes)
    damaged(
      file.name,
      `${header.offset + header.bytes} bytes for ${header.shape.join(' x ')} elements`,
      `${file.size} bytes`,
    );
  const array = npyArray(file.name, name, header, (offset, length) => file.read(offset, length));
  return { ...array, byRows: !file.whole && (!header.fortran || header.shape.length === 1) };
}

/** An array over any way to read its bytes; offsets count from the start of the npy file. */
export function npyArray(
  file: string,
  name: string,
  header: NpyHeader,
  bytes: (offset: number, length: number) => Promise<Uint8Array>,
): RawArray {
  if (header.shape.length === 0)
    unsupported(file, `the single number '${name}'`, 'a data array needs a first axis, its rows: numpy.atleast_1d(x)');
  const stride = rowSize(header.shape) * elementBytes(header.element);
  const range = async (offset: number, length: number) => {
    const content = await bytes(header.offset + offset, length);
    if (content.length !== length) damaged(file, `${length} bytes of '${name}'`, `${content.length}`);
    return decode(file, content, header.element, header.littleEndian);
  };
  return {
    name,
    numbers: elementNumbers(header.element),
    shape: header.shape,
    scale: 1,
    read: async (from, to) => {
      if (!header.fortran || header.shape.length === 1) return range(from * stride, (to - from) * stride);
      const all = rowMajor(await range(0, header.bytes), header.shape);
      return all.subarray(from * rowSize(header.shape), to * rowSize(header.shape)) as Numbers;
    },
  };
}

/** Reorders numbers in column-major order (first axis fastest) to row-major order (last axis fastest). */
function rowMajor(values: Numbers, shape: readonly number[]): Numbers {
  const result = values.slice() as Numbers;
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, n) => product * n, 1));
  for (let i = 0; i < result.length; i++) {
    let source = 0;
    for (let axis = 0; axis < shape.length; axis++) source += index[axis] * strides[axis];
    result[i] = values[source];
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
  return result;
}

/** An npy file of version 1 in C order. `shape` has as many elements as `values`. */
export function writeNpy(values: Numbers, shape: readonly number[]): Uint8Array {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dict = `{'descr': '${descrOf(values)}', 'fortran_order': False, 'shape': (${dims}), }`;
  const padded = dict.padEnd(Math.ceil((10 + dict.length + 1) / 64) * 64 - 10 - 1) + '\n';
  const file = new Uint8Array(10 + padded.length + values.byteLength);
  file.set([0x93, ...Array.from('NUMPY', (c) => c.charCodeAt(0)), 1, 0, padded.length & 255, padded.length >> 8]);
  file.set(new TextEncoder().encode(padded), 10);
  file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 10 + padded.length);
  return file;
}

function descrOf(values: Numbers): string {
  if (values instanceof Float32Array) return '<f4';
  if (values instanceof Float64Array) return '<f8';
  if (values instanceof Int8Array) return '|i1';
  if (values instanceof Int16Array) return '<i2';
  if (values instanceof Int32Array) return '<i4';
  if (values instanceof Uint8Array) return '|u1';
  if (values instanceof Uint16Array) return '<u2';
  return '<u4';
}
