/**
 * How a data file is refused. Every message names the file, what was expected and what was found; nothing here returns.
 * The file's content is hostile until proven otherwise, so texts taken from it are shortened before they are quoted.
 */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import { MAX_BYTES, MAX_RATIO, MAX_SIDE, RATIO_FREE_BYTES } from './limits.ts';

/** The bytes do not follow the format (OPT605). */
export function damaged(file: string, expected: string, found: string, hint?: string): never {
  return fail('OPT605', undefined, `${quote(file)} is damaged: expected ${expected}, found ${found}`, {
    hint: hint ?? 'fetch or write the file again; a download that broke off looks like this',
  });
}

/** A legal file of a kind that is not read here (OPT606). */
export function unsupported(file: string, what: string, hint: string): never {
  return fail('OPT606', undefined, `${quote(file)} holds ${what}, which is not supported`, { hint });
}

/** Beyond a cap of `limits.ts` (OPT607). */
export function tooLarge(file: string, what: string, hint?: string): never {
  return fail('OPT607', undefined, `${quote(file)} is refused: ${what}`, {
    hint: hint ?? 'split the file, or store it as plain npy without compression, which is read by rows',
  });
}

/** Decompressed content went past its caps (OPT607). */
export function bomb(file: string, compressed: number, produced: number): never {
  const cap = produced > MAX_BYTES ? `${MAX_BYTES} bytes` : `${MAX_RATIO} times its ${compressed} compressed bytes`;
  return tooLarge(
    file,
    `it decompresses to more than ${cap}`,
    'if the file is yours, store it without compression (numpy.savez instead of savez_compressed, or gunzip it)',
  );
}

/** A text from a file or from the user, quoted, in one line and of bounded length. */
export function quote(text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 197)}...` : text;
  return `'${short}'`;
}

/** Refuses a declared size of decompressed content that its compressed bytes may not take (OPT607), before memory is reserved for it. */
export function checkExpansion(file: string, compressed: number, size: number): void {
  if (!(size >= 0) || size > MAX_BYTES || (size > RATIO_FREE_BYTES && size > compressed * MAX_RATIO))
    bomb(file, compressed, size);
}

/** Refuses sizes that no data set has (OPT607), before memory is reserved. */
export function checkSize(name: string, width: number, height: number): void {
  if (width < 1 || height < 1) damaged(name, 'an image of at least one pixel', `${height} x ${width}`);
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > 2 ** 26)
    tooLarge(
      name,
      `${height} x ${width} pixels`,
      `an image has at most ${MAX_SIDE} pixels on a side and 2^26 in all: resize it`,
    );
}
