/**
 * Fields that stay with the host because no binding of the device holds them. For each execution the host finds which rows the entry takes and writes
 * them into a ring before the submission, while the device is still busy with the one before.
 */
import type { Bundle, BundleEntry, BundleStream, DataField } from '../../compiler/bundle/format.ts';
import type { Scalars } from '../../compiler/bundle/host-program.ts';
import { evaluateRows } from '../../compiler/bundle/rows.ts';
import { InternalError, fail } from '../../compiler/diagnostics/diagnostic.ts';

/** Bytes of a whole field, row by row as the device stores them, and how many a row has. */
interface HostField {
  readonly bytes: Uint8Array;
  readonly rowBytes: number;
  readonly rows: number;
}

/** Where rows go: the bytes for slots 0, 1, … of a ring, one after the other. */
export type WriteRing = (buffer: string, bytes: Uint8Array) => void;

export class HostFields {
  private readonly fields = new Map<string, HostField>();
  private readonly slotBytes: ReadonlyMap<string, number>;

  constructor(bundle: Bundle) {
    this.slotBytes = new Map(bundle.buffers.map((b) => [b.id, b.bytes]));
  }

  /** Takes a field as the device would store it. */
  add(data: string, field: DataField, values: Uint8Array | Float32Array | Int32Array | Uint32Array): void {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const rows = field.type.shape[0];
    this.fields.set(`${data}.${field.name}`, { bytes, rows, rowBytes: rows > 0 ? bytes.length / rows : 0 });
  }

  /** Writes the rows that the entry takes in each of `steps`. Throws SaddleError OPT708 for a row that the field does not have. */
  write(entry: BundleEntry, steps: readonly Scalars[], write: WriteRing): void {
    for (const stream of entry.streams ?? []) {
      const slot = this.slotBytes.get(stream.buffer) ?? 0;
      const ring = new Uint8Array(slot * steps.length);
      steps.forEach((scalars, k) => this.fill(stream, scalars, ring.subarray(k * slot, (k + 1) * slot)));
      write(stream.buffer, ring);
    }
  }

  private fill(stream: BundleStream, scalars: Scalars, to: Uint8Array): void {
    const field = this.fields.get(`${stream.data}.${stream.field}`);
    if (!field) throw new InternalError(`the host has no field '${stream.data}.${stream.field}'`);
    const { bytes, rowBytes, rows } = field;
    evaluateRows(stream.rows, scalars).forEach((row, i) => {
      if (!(row >= 0 && row < rows))
        fail(
          'OPT708',
          undefined,
          `row ${row} of '${stream.data}.${stream.field}', which has ${rows} (step ${scalars.step})`,
        );
      to.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), i * rowBytes);
    });
  }
}
