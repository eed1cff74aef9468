/**
 * The idx format of the MNIST files: two zero bytes, an element type, the number of axes, each axis as a big-endian u32, then the
 * numbers, big-endian and row-major. Bytes of two or more axes are images and read as byte / 255; bytes of one axis are labels.
 */
import type { ByteSource } from './files.ts';
import { decode, elementBytes, elementNumbers, type Element } from './elements.ts';
import { MAX_AXES, MAX_FILE_BYTES } from './limits.ts';
import { damaged, tooLarge } from './refusals.ts';
import { rowSize, safeProduct, type RawTable } from './table.ts';

const ELEMENTS: Readonly<Record<number, Element>> = { 8: 'u1', 9: 'i1', 11: 'i2', 12: 'i4', 13: 'f4', 14: 'f8' };

/** True where the bytes start as an idx file does. */
export function isIdx(start: Uint8Array): boolean {
  return start.length >= 4 && start[0] === 0 && start[1] === 0 && start[2] in ELEMENTS && start[3] >= 1;
}

/** Opens an idx file. Throws OPT605, OPT607. */
export async function openIdx(file: ByteSource): Promise<RawTable> {
  const start = await file.read(0, 4 + 4 * MAX_AXES);
  if (!isIdx(start))
    damaged(file.name, 'the start of an idx file (00 00, an element type, the number of axes)', hex(start));
  const element = ELEMENTS[start[2]];
  const axes = start[3];
  if (axes > MAX_AXES) tooLarge(file.name, `it has ${axes} axes, at most ${MAX_AXES} are read`);
  const header = 4 + 4 * axes;
  if (start.length < header) damaged(file.name, `a header of ${header} bytes`, `${start.length} bytes`);
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  const shape = Array.from({ length: axes }, (_, i) => view.getUint32(4 + 4 * i));
  const count = safeProduct(shape);
  const bytes = count === undefined ? undefined : count * elementBytes(element);
  if (bytes === undefined || bytes > MAX_FILE_BYTES)
    tooLarge(file.name, `its header declares ${shape.join(' x ')} elements`);
  if (file.size !== header + bytes)
    damaged(file.name, `${header + bytes} bytes for ${shape.join(' x ')} elements`, `${file.size} bytes`);
  const images = element === 'u1' && axes >= 2;
  const stride = rowSize(shape) * elementBytes(element);
  return {
    file: file.name,
    rows: shape[0],
    anonymous: true,
    arrays: [
      {
        name: axes >= 2 ? 'x' : 'y',
        numbers: images ? 'byte' : elementNumbers(element) === 'float' ? 'float' : 'integer',
        shape,
        scale: images ? 1 / 255 : 1,
        byRows: !file.whole,
        read: async (from, to) => {
          const content = await file.read(header + from * stride, (to - from) * stride);
          if (content.length !== (to - from) * stride)
            damaged(
              file.name,
              `${(to - from) * stride} bytes`,
              `${content.length} (the file was cut while it was read)`,
            );
          return decode(file.name, content, element, false);
        },
      },
    ],
  };
}

function hex(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  return Array.from(bytes.subarray(0, 4), (b) => b.toString(16).padStart(2, '0')).join(' ');
}
