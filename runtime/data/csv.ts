/**
 * Tables of text: csv (comma or semicolon) and tsv. Only numbers are kept, column by column; the first cell that is no number is
 * remembered for each column, because it is an error only if the column is used. A first line with such a cell is the header.
 */
import { parse } from 'csv-parse/sync';
import { SaddleError, fail } from '../../compiler/diagnostics/diagnostic.ts';
import { MAX_COLUMNS, MAX_CSV_LINE } from './limits.ts';
import { damaged, quote, tooLarge } from './refusals.ts';
import type { RawArray, RawTable } from './table.ts';

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** A growing column of numbers. */
class Column {
  values = new Float64Array(1024);
  length = 0;
  integer = true;
  /** First cell that is no number. */
  bad: { readonly line: number; readonly text: string } | undefined;

  push(text: string, line: number): void {
    if (this.length === this.values.length) {
      const grown = new Float64Array(2 * this.length);
      grown.set(this.values);
      this.values = grown;
    }
    const value = NUMBER.test(text) ? Number(text) : NaN;
    if (Number.isNaN(value)) this.bad ??= { line, text };
    else if (!Number.isInteger(value)) this.integer = false;
    this.values[this.length++] = value;
  }
}

interface Scan {
  readonly header: readonly string[] | undefined;
  readonly columns: readonly Column[];
  readonly rows: number;
}

/** Opens a table from its text. `tabs` for tsv. Throws OPT605, OPT607, OPT614. */
export function openCsv(file: string, bytes: Uint8Array, tabs: boolean): RawTable {
  const { header, columns, rows } = scan(file, bytes, tabs);
  const count = columns.length;
  const names = header && header.length === count ? header : undefined;
  const array = (name: string, a: number, b: number, single: boolean): RawArray => ({
    name,
    numbers: columns.slice(a, b).every((c) => c.integer) ? 'integer' : 'float',
    shape: single ? [rows] : [rows, b - a],
    scale: 1,
    read: async (from, to) => gather(file, columns.slice(a, b), (c) => names?.[a + c] ?? String(a + c), from, to),
  });
  return {
    file,
    rows,
    anonymous: false,
    arrays: names ? names.map((name, c) => array(name, c, c + 1, true)) : [],
    columns: { names, count, array },
  };
}

function gather(
  file: string,
  columns: readonly Column[],
  name: (c: number) => string,
  from: number,
  to: number,
): Float64Array {
  const values = new Float64Array((to - from) * columns.length);
  columns.forEach((column, c) => {
    if (column.bad)
      fail(
        'OPT614',
        undefined,
        `${quote(file)} line ${column.bad.line}: column ${quote(name(c))} holds ${cell(column.bad.text)}`,
        {
          hint: 'every cell of a column in use must be a decimal number; encode classes as 0, 1, 2, … and drop or fill missing values',
        },
      );
    for (let row = from; row < to; row++) values[(row - from) * columns.length + c] = column.values[row];
  });
  return values;
}

function cell(text: string): string {
  return text === '' ? 'an empty cell' : `${quote(text.slice(0, 40))}, not a number`;
}

function scan(file: string, bytes: Uint8Array, tabs: boolean): Scan {
  let first: string[] | undefined;
  let columns: Column[] = [];
  let rows = 0;
  const add = (record: readonly string[], line: number) => {
    if (rows === 0) {
      if (record.length > MAX_COLUMNS)
        tooLarge(file, `it has ${record.length} columns, at most ${MAX_COLUMNS} are read`);
      columns = record.map(() => new Column());
    }
    if (record.length !== columns.length)
      fail(
        'OPT614',
        undefined,
        `${quote(file)} line ${line} has ${record.length} cells, the lines before it ${columns.length}`,
        {
          hint: 'each line must have the same number of cells; quote cells that contain the separator',
        },
      );
    record.forEach((text, c) => columns[c].push(text, line));
    rows++;
  };
  try {
    parse(decodeText(file, bytes), {
      delimiter: tabs ? '\t' : separator(bytes),
      bom: true,
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
      max_record_size: MAX_CSV_LINE,
      on_record: (record: string[], context) => {
        if (first === undefined) {
          first = record;
          if (record.every((text) => NUMBER.test(text))) add(record, context.lines);
        } else add(record, context.lines);
        return null;
      },
    });
  } catch (cause) {
    if (cause instanceof SaddleError) throw cause;
    fail(
      'OPT614',
      undefined,
      `${quote(file)} is not a table: ${cause instanceof Error ? cause.message.slice(0, 160) : 'unreadable'}`,
      {
        hint: 'cells are separated by commas (or semicolons, or tabs in .tsv) and quoted with " where they contain one',
      },
    );
  }
  if (rows === 0)
    damaged(file, 'at least one row of numbers', first ? 'only a header' : 'no text', 'write the table again');
  const header = first !== undefined && !(first as string[]).every((text) => NUMBER.test(text)) ? first : undefined;
  return { header, columns, rows };
}

function decodeText(file: string, bytes: Uint8Array): string {
  if (bytes.subarray(0, 4096).includes(0))
    damaged(file, 'text', 'binary content', 'a table of text has no zero bytes; save it as csv in UTF-8');
  return new TextDecoder().decode(bytes);
}

/** Semicolon where the first line has one and no comma (spreadsheets of many countries write it so), else comma. */
function separator(bytes: Uint8Array): ',' | ';' {
  const end = bytes.indexOf(10);
  const line = bytes.subarray(0, end < 0 ? bytes.length : end);
  return line.includes(0x3b) && !line.includes(0x2c) ? ';' : ',';
}
