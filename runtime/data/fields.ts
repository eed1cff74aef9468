/**
 * Which array of a table a declared field takes. A field without a column takes the array of its own name (or the only one of a file
 * without names); `= "label"` names an array or column, `= 4` a column by number, `= 0..30` and `= "a"..="d"` a range of columns.
 */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import { didYouMean } from '../../compiler/diagnostics/suggest.ts';
import { quote } from './refusals.ts';
import type { Columns, RawArray, RawTable } from './table.ts';

/** A field as declared: its name, and the text of its column where there is one (`0..30`, `"label"`, `cols 0..30`). */
export interface FieldRequest {
  readonly name: string;
  readonly column?: string;
  /** Declared element type: an f32 field may take integers. */
  readonly dtype?: string;
  /** Declared shape of a row where it is written in numbers: a row may be regrouped to it. */
  readonly row?: readonly number[];
}

/** The array of a field; `fields` are all that are declared. Throws OPT608. */
export function arrayOf(table: RawTable, field: FieldRequest, fields: readonly FieldRequest[]): RawArray {
  if (table.anonymous && field.column === undefined) {
    if (fields.length === 1) return table.arrays[0];
    const names = fields.map((f) => quote(f.name)).join(', ');
    return fail('OPT608', undefined, `${quote(table.file)} holds one array, but the fields ${names} are declared`, {
      hint: 'put the arrays together in one npz file: numpy.savez("data.npz", x=x, y=y)',
    });
  }
  if (field.column !== undefined && table.columns) return columnArray(table, table.columns, field.name, field.column);
  const wanted = field.column === undefined ? field.name : unquote(field.column);
  const array = table.arrays.find((a) => a.name === wanted);
  return array ?? missing(table, wanted, field);
}

function unquote(text: string): string {
  return text
    .trim()
    .replace(/^cols\s+/, '')
    .replace(/^"(.*)"$/s, '$1');
}

function columnArray(table: RawTable, columns: Columns, name: string, column: string): RawArray {
  const text = column.trim().replace(/^cols\s+/, '');
  const range = /^(.+?)\s*\.\.(=?)\s*(.+)$/s.exec(text);
  if (!range) {
    const at = columnIndex(table, columns, name, text);
    return columns.array(name, at, at + 1, true);
  }
  const from = columnIndex(table, columns, name, range[1]);
  const last = range[3].trim();
  // The end of a half-open range may be one past the last column.
  const end =
    range[2] === '' && last === String(columns.count) ? columns.count : columnIndex(table, columns, name, last);
  const to = range[2] === '=' ? end + 1 : end;
  if (to <= from)
    fail('OPT608', undefined, `the columns ${quote(text)} of field ${quote(name)} are none`, {
      hint: 'a range a..b leaves b out and a..=b takes it in; a must come before b',
    });
  return columns.array(name, from, to, false);
}

/** A column by number (from 0) or by its name in the header. */
function columnIndex(table: RawTable, columns: Columns, field: string, text: string): number {
  const word = text.trim();
  if (/^\d+$/.test(word)) {
    const at = Number(word);
    if (at < columns.count) return at;
    return fail('OPT608', undefined, `${quote(table.file)} has no column ${word}`, {
      hint: `it has ${columns.count} columns, numbered from 0 to ${columns.count - 1}`,
    });
  }
  const at = columns.names?.indexOf(unquote(word)) ?? -1;
  return at >= 0 ? at : missing(table, unquote(word), { name: field, column: text });
}

function missing(table: RawTable, wanted: string, field: FieldRequest): never {
  const names = table.columns?.names ?? table.arrays.map((a) => a.name);
  const what = table.columns ? 'column' : 'array';
  const list = names.slice(0, 20).map(quote).join(', ') + (names.length > 20 ? ', …' : '');
  const without = table.columns && !table.columns.names;
  return fail(
    'OPT608',
    undefined,
    `${quote(table.file)} has no ${what} ${quote(wanted)} for field ${quote(field.name)}`,
    {
      notes: [
        without
          ? `it has ${table.columns?.count} columns and no header that names them`
          : `it has the ${what}s ${list || '(none)'}`,
      ],
      hint:
        didYouMean(wanted, names) ??
        (without
          ? `say which columns: ${field.name}: … = 0..${table.columns?.count}`
          : `say which ${what}: ${field.name}: … = "${names[0] ?? 'name'}"`),
    },
  );
}
