/** Which reader a file needs: by the end of its name, and by its first bytes where the name says nothing. */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import type { FieldRequest } from './fields.ts';
import { readAll, type ByteSource } from './files.ts';
import { isIdx, openIdx } from './idx.ts';
import { MAX_BYTES, MAX_FILE_BYTES } from './limits.ts';
import { isArrow, isGzip, isParquet, isZip } from './magic.ts';
import { isNpy, openNpy } from './npy.ts';
import { damaged, quote, tooLarge } from './refusals.ts';
import { openSafetensors } from './safetensors.ts';
import type { RawTable } from './table.ts';
import { openText } from './text.ts';
import { openTfjs } from './tfjs.ts';

const FORMATS = ['npy', 'npz', 'csv', 'tsv', 'idx', 'safetensors', 'parquet', 'arrow', 'txt', 'json'] as const;
type Format = (typeof FORMATS)[number];
/** Formats of which any rows can be read without the others. */
const BY_ROWS: ReadonlySet<Format> = new Set(['npy', 'idx', 'safetensors']);
/** Other endings of the same formats. */
const ALIASES: Readonly<Record<string, Format>> = { feather: 'arrow', arrows: 'arrow', ipc: 'arrow', pq: 'parquet' };

/** Opens a data file of any format; the file stays open for later reads. A text is cut into the tokens that `fields` ask for. Throws OPT605 to OPT607, OPT613, OPT614. */
export async function openTable(
  file: ByteSource,
  fields: readonly Pick<FieldRequest, 'column'>[] = [],
): Promise<RawTable> {
  if (file.size === 0) damaged(file.name, 'data', 'an empty file');
  const start = await file.read(0, 16);
  const content = isGzip(start) ? await (await import('./gzip-file.ts')).openGzip(file) : file;
  const format = formatOf(content, content === file ? start : await content.read(0, 16));
  const most = BY_ROWS.has(format) && content === file ? MAX_FILE_BYTES : MAX_BYTES;
  if (file.size > most) tooLarge(file.name, `it has ${file.size} bytes, at most ${most} of ${format} are read`);
  const table = await openAs(format, content, fields);
  checkRows(table);
  return table;
}

function formatOf(file: ByteSource, start: Uint8Array): Format {
  const ending = file.name.replace(/\.gz$/i, '').split('.').at(-1)?.toLowerCase();
  const named =
    FORMATS.find((format) => format === ending) ??
    (Object.hasOwn(ALIASES, ending ?? '') ? ALIASES[ending as string] : undefined);
  if (named) return named;
  if (isNpy(start)) return 'npy';
  if (isZip(start)) return 'npz';
  if (isParquet(start)) return 'parquet';
  if (isArrow(start)) return 'arrow';
  if (isIdx(start)) return 'idx';
  return fail('OPT613', undefined, `${quote(file.name)} is in no format that is known here`, {
    hint: 'give the file one of the endings .npy, .npz, .csv, .tsv, .parquet, .arrow, .feather, .safetensors, .idx, .txt (csv, tsv, npy, idx and txt also with .gz)',
  });
}

async function openAs(
  format: Format,
  file: ByteSource,
  fields: readonly Pick<FieldRequest, 'column'>[],
): Promise<RawTable> {
  switch (format) {
    case 'npy': {
      const array = await openNpy(file, 'x');
      return { file: file.name, rows: array.shape[0], arrays: [array], anonymous: true };
    }
    case 'idx':
      return openIdx(file);
    case 'safetensors':
      return openSafetensors(file);
    case 'json':
      return openTfjs(file);
    case 'txt':
      return openText(file, fields);
    // Packages and their tables are loaded when they are needed: most programs read other formats, and `saddle check` has to start fast.
    case 'npz':
      return (await import('./npz.ts')).openNpz(file);
    case 'parquet':
      return (await import('./parquet.ts')).openParquet(file);
    case 'arrow':
      return (await import('./arrow.ts')).openArrow(file);
    default: {
      const { openCsv } = await import('./csv.ts');
      return openCsv(file.name, await readAll(file), format === 'tsv');
    }
  }
}

/** Rows are the first axis of every array; an npz may hold others too, which are left out unless none agrees. */
function checkRows(table: RawTable): void {
  if (table.rows === 0) damaged(table.file, 'at least one row', 'none', 'write the file again with its data');
}
