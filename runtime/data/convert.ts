/**
 * From the numbers of a file to the array that goes to the device, with every check that the declaration asks for. The first offence
 * is named with its row and value; a value is never rounded, clamped or dropped silently (float64 to float32 rounding excepted).
 */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import type { DataField } from '../../compiler/bundle/format.ts';
import { quote } from './refusals.ts';
import { rowSize, type Numbers, type RawArray } from './table.ts';

export type FieldValues = Float32Array | Int32Array | Uint8Array;

/**
 * Converts and checks the numbers of a field. `firstRow` is the row of the file at which they start. f32 fields are finite float32 (stored number times scale);
 * i32 fields are whole; u8 fields keep the stored bytes. `tensor`: what the file calls the array, where it is no field of a declaration but a parameter of a model. Throws OPT610 (range), OPT611 (not representable).
 */
export function convertField(
  file: string,
  field: DataField,
  array: RawArray,
  numbers: Numbers,
  firstRow: number,
  tensor?: string,
): FieldValues {
  const where: Place = { file, field, firstRow, perRow: rowSize(array.shape), shape: array.shape, tensor };
  if (field.storage === 'u8') return toBytes(where, array, numbers);
  return field.storage === 'i32' ? toIntegers(where, array, numbers) : toFloats(where, array, numbers);
}

interface Place {
  readonly file: string;
  readonly field: DataField;
  readonly firstRow: number;
  readonly perRow: number;
  readonly shape: readonly number[];
  readonly tensor: string | undefined;
}

/** "field 'y', row 17 (number 3 of the row)", of a parameter "number [17, 3] of the tensor 'linear_0.W'". */
function describe(p: Place, i: number): string {
  if (p.tensor !== undefined) {
    let rest = p.firstRow * p.perRow + i;
    const index = p.shape.toReversed().map((size) => {
      const at = rest % size;
      rest = Math.floor(rest / size);
      return at;
    });
    const place = index.length > 0 ? `number [${index.toReversed().join(', ')}] of ` : '';
    return `${quote(p.file)}: ${place}the tensor ${quote(p.tensor)}`;
  }
  const row = p.firstRow + Math.floor(i / p.perRow);
  const within = p.perRow > 1 ? ` (number ${i % p.perRow} of the row)` : '';
  return `${quote(p.file)}: field ${quote(p.field.name)}, row ${row}${within}`;
}

function toFloats(p: Place, array: RawArray, numbers: Numbers): Float32Array {
  const floats = new Float32Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) {
    floats[i] = numbers[i] * array.scale;
    if (!Number.isFinite(floats[i])) notFinite(p, i, numbers[i]);
  }
  checkRange(p, floats, 1);
  return floats;
}

function notFinite(p: Place, i: number, value: number): never {
  const found = Number.isFinite(value) ? `${value}, beyond the largest 32-bit float` : String(value);
  return fail('OPT611', undefined, `${describe(p, i)} is ${found}`, {
    hint:
      p.tensor === undefined
        ? 'clean or rescale the data first: missing and infinite values would make every objective that reads them NaN'
        : 'the training that wrote the file has probably diverged: give one that was saved before',
  });
}

function toIntegers(p: Place, array: RawArray, numbers: Numbers): Int32Array {
  if (array.scale !== 1)
    fail('OPT611', undefined, `${quote(p.file)}: field ${quote(p.field.name)} holds images in 0..1, declared i32`, {
      hint: `declare it f32: ${p.field.name}: f32[…]`,
    });
  const integers = new Int32Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) {
    integers[i] = numbers[i];
    if (integers[i] !== numbers[i]) {
      const found = Number.isInteger(numbers[i])
        ? `${numbers[i]}, beyond 32-bit integers`
        : `${numbers[i]}, not a whole number`;
      fail('OPT611', undefined, `${describe(p, i)} is ${found}, declared i32`, {
        hint: `declare the field f32 if it holds measurements, or convert the file`,
      });
    }
  }
  checkRange(p, integers, 1);
  return integers;
}

function toBytes(p: Place, array: RawArray, numbers: Numbers): Uint8Array {
  if (array.scale !== p.field.scale || !(numbers instanceof Uint8Array))
    fail('OPT612', undefined, `${quote(p.file)}: field ${quote(p.field.name)} no longer holds bytes`, {
      hint: 'the file changed since the program was compiled; run again',
    });
  checkRange(p, numbers, array.scale);
  return numbers;
}

function checkRange(p: Place, values: FieldValues, scale: number): void {
  const range = p.field.range;
  if (!range) return;
  const [low, high] = range;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] * scale;
    if (value >= low && value < high) continue;
    fail('OPT610', undefined, `${describe(p, i)} is ${value}, declared in ${low}..${high}`, {
      hint:
        p.field.type.dtype === 'i32' && value === high && low === 0
          ? `classes count from 0: ${high} classes are 0..${high}, that is 0 to ${high - 1}; subtract 1 in the file if it counts from 1`
          : 'widen the range in the declaration if the value is right, or mend the file',
    });
  }
}
