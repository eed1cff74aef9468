/**
 * Folders of images: PNG and JPEG files, with a subfolder for each class, or flat. x holds the pixels in bytes (value = byte / 255), y the number of the
 * class, counted in the order of the subfolders' names. Images are never resized, and change their channels only where nothing is lost.
 */
import { fail, SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import type { FieldRequest } from './fields.ts';
import { classArray, classesOf, shown } from './folders.ts';
import { readAll, type DataHost, type FolderFile, type Photograph } from './files.ts';
import { MAX_BYTES, MAX_IMAGE_BYTES } from './limits.ts';
import { checkSize, damaged, quote, tooLarge } from './refusals.ts';
import { rowSize, safeProduct, type RawArray, type RawTable } from './table.ts';

/** An image file: endings in any case. */
const IMAGE = /\.(png|jpe?g)$/i;

/** What every image of a folder has. */
interface Format {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3 | 4;
}

/**
 * The table of a folder. Size is that of the first image; the channels are those that the field for the images is declared with (as far as the numbers of
 * its row say so), else those of the first. Throws OPT604 to OPT607, and OPT609 at reading for an image of another size.
 */
export async function openImages(
  folder: string,
  all: readonly FolderFile[],
  host: DataHost,
  fields: readonly Pick<FieldRequest, 'row' | 'column'>[],
): Promise<RawTable> {
  const files = all.filter((f) => IMAGE.test(f.path));
  if (files.length === 0)
    damaged(
      folder,
      'a folder of .png and .jpg images',
      'none',
      'name a file, or a folder of images, one subfolder for each class; texts need tokens: x: i32[*, 64] = "words:5000"',
    );
  const classes = classesOf(folder, files, 'images');
  const format = formatOf(await decodeImage(folder, files[0], host), fields);
  const { height, width, channels } = format;
  const shape = channels === 1 ? [files.length, height, width] : [files.length, height, width, channels];
  const size = safeProduct(shape);
  if (size === undefined || size > MAX_BYTES)
    tooLarge(folder, `its ${files.length} images hold more than ${MAX_BYTES} bytes`, 'use fewer or smaller images');
  const x: RawArray = {
    name: 'x',
    numbers: 'byte',
    shape,
    scale: 1 / 255,
    read: async (from, to) => {
      const row = rowSize(shape);
      const bytes = new Uint8Array((to - from) * row);
      for (let i = from; i < to; i++) {
        const image = await decodeImage(folder, files[i], host);
        copyPixels(shown(folder, files[i]), shown(folder, files[0]), image, format, bytes.subarray((i - from) * row));
      }
      return bytes;
    },
  };
  if (!classes) return { file: folder, rows: files.length, arrays: [x], anonymous: true };
  return { file: folder, rows: files.length, arrays: [x, classArray(files, classes)], anonymous: false };
}

function formatOf(first: Photograph, fields: readonly Pick<FieldRequest, 'row' | 'column'>[]): Format {
  const { height, width } = first;
  const pixels = height * width;
  const declared = fields
    .filter((f) => f.column === undefined || /^\s*"x"\s*$/.test(f.column))
    .map((f) => f.row && safeProduct(f.row) !== undefined && (safeProduct(f.row) as number) / pixels)
    .find((c) => c === 1 || c === 3 || c === 4);
  const channels = declared === 1 || declared === 3 || declared === 4 ? declared : channelsOf(first);
  return { height, width, channels };
}

/** Fewest channels that hold an image without loss. */
function channelsOf({ rgba }: Photograph): 1 | 3 | 4 {
  let grey = true;
  for (let i = 0; i < rgba.length; i += 4) {
    if (rgba[i + 3] !== 255) return 4;
    grey &&= rgba[i] === rgba[i + 1] && rgba[i] === rgba[i + 2];
  }
  return grey ? 1 : 3;
}

function copyPixels(name: string, first: string, image: Photograph, format: Format, to: Uint8Array): void {
  if (image.width !== format.width || image.height !== format.height)
    fail(
      'OPT609',
      undefined,
      `${quote(name)} has ${image.height} x ${image.width} pixels, ${quote(first)} ${format.height} x ${format.width}`,
      { hint: 'images of one folder have one size: resize them first (nothing is resized here)' },
    );
  const { channels } = format;
  const { rgba } = image;
  for (let i = 0, at = 0; i < rgba.length; i += 4) {
    if (channels < 4 && rgba[i + 3] !== 255) return lossy(name, 'is transparent', 4, format);
    if (channels === 1 && (rgba[i] !== rgba[i + 1] || rgba[i] !== rgba[i + 2]))
      return lossy(name, 'has colours', 3, format);
    for (let c = 0; c < channels; c++) to[at++] = rgba[i + c];
  }
}

function lossy(name: string, what: string, channels: number, { height, width }: Format): never {
  return fail('OPT609', undefined, `${quote(name)} ${what}, the field does not hold them`, {
    hint: `declare it [*, ${height}, ${width}, ${channels}], or convert the images`,
  });
}

async function decodeImage(folder: string, file: FolderFile, host: DataHost): Promise<Photograph> {
  const source = await file.open();
  const name = shown(folder, file);
  try {
    if (source.size > MAX_IMAGE_BYTES)
      tooLarge(name, `an image of ${source.size} bytes, at most ${MAX_IMAGE_BYTES} are read`);
    const bytes = await readAll(source);
    if (bytes[0] === 0x89 && bytes[1] === 0x50) return await (await import('./png.ts')).decodePng(name, bytes);
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return await decodeJpeg(name, bytes, host);
    return damaged(name, 'a PNG or JPEG image', bytes.length === 0 ? 'an empty file' : 'other bytes');
  } finally {
    await source.close();
  }
}

async function decodeJpeg(name: string, bytes: Uint8Array, host: DataHost): Promise<Photograph> {
  checkJpeg(name, bytes);
  try {
    const image = await host.decodeJpeg(bytes);
    if (image) return image;
  } catch (cause) {
    if (cause instanceof SaddleError) throw cause;
    damaged(name, 'a JPEG image', cause instanceof Error ? cause.message.slice(0, 160) : 'other bytes');
  }
  return fail('OPT604', undefined, `${quote(name)} needs the npm package jpeg-js to be read`, {
    hint: 'install it: npm install jpeg-js@0.4.4',
  });
}

/** The frame header says the size before anything is decoded; a file that broke off lacks the end mark. */
function checkJpeg(name: string, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 2;
  while (at + 9 <= bytes.length) {
    const marker = view.getUint16(at);
    const isFrame = marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (marker >> 8 !== 0xff) break;
    if (isFrame) {
      checkSize(name, view.getUint16(at + 7), view.getUint16(at + 5));
      if (bytes.lastIndexOf(0xd9) < at || bytes[bytes.lastIndexOf(0xd9) - 1] !== 0xff)
        damaged(name, 'the end mark of a JPEG', 'none');
      return;
    }
    at += marker === 0xffff ? 1 : 2 + view.getUint16(at + 2);
  }
  damaged(name, 'the frame header of a JPEG', 'none');
}
