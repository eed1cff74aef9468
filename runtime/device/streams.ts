/**
 * Fields that stay with the host because no binding of the device holds them. For each execution the host finds which rows the entry takes and writes
 * them into a ring before the submission, while the device is still busy with the one before. Rows of a field that memory does not hold are read first.
 */
import type { Bundle, BundleEntry, BundleStream, DataField } from '../../compiler/bundle/format.ts';
import type { Scalars } from '../../compiler/bundle/host-program.ts';
import { evaluateRows } from '../../compiler/bundle/rows.ts';
import { InternalError, fail } from '../../compiler/diagnostics/diagnostic.ts';
import type { NumberArray, RowSource } from '../backend.ts';
import { elements, toDevice } from './words.ts';

type Words = Uint8Array | Float32Array | Int32Array | Uint32Array;

/** A field as the device would store it, whole or to be read by rows. */
interface HostField {
  readonly field: DataField;
  readonly rows: number;
  /** Bytes of a row. */
  readonly rowBytes: number;
  readonly bytes?: Uint8Array;
  readonly source?: RowSource;
}

/** Where rows go: the bytes for slots 0, 1, … of a ring, one after the other. */
export type WriteRing = (buffer: string, bytes: Uint8Array) => void;

/** Bytes of rings, by their buffer. */
export type Rings = ReadonlyMap<string, Uint8Array>;

export class HostFields {
  private readonly fields = new Map<string, HostField>();
  private readonly slotBytes: ReadonlyMap<string, number>;
  /** Some field is read by rows, which takes time. */
  waits = false;

  constructor(bundle: Bundle) {
    this.slotBytes = new Map(bundle.buffers.map((b) => [b.id, b.bytes]));
  }

  /** Takes a field as the device would store it, or what reads its rows. */
  add(data: string, field: DataField, values: Words | RowSource): void {
    const rows = field.type.shape[0];
    const rowBytes = elements({ ...field.type, shape: field.type.shape.slice(1) }) * (field.storage === 'u8' ? 1 : 4);
    const key = `${data}.${field.name}`;
    if (ArrayBuffer.isView(values)) {
      this.fields.set(key, { field, rows, rowBytes, bytes: bytesOf(values) });
      return;
    }
    this.waits = true;
    this.fields.set(key, { field, rows, rowBytes, source: values });
  }

  /** Rings of the rows that the entry takes in each of `steps`, where they have to be read first. Throws as `write` does, and what reading throws. */
  async read(entry: BundleEntry, steps: readonly Scalars[]): Promise<Rings> {
    const rings = new Map<string, Uint8Array>();
    for (const stream of entry.streams ?? []) {
      const { field, source, rowBytes } = this.field(stream);
      if (!source) continue;
      const wanted = steps.map((scalars) => this.rowsOf(stream, scalars));
      const bytes = bytesOf(words(field, await source.read(wanted.flat())));
      const slot = this.slot(stream);
      const ring = new Uint8Array(slot * steps.length);
      let at = 0;
      for (const [k, rows] of wanted.entries()) {
        ring.set(bytes.subarray(at, at + rows.length * rowBytes), k * slot);
        at += rows.length * rowBytes;
      }
      rings.set(stream.buffer, ring);
    }
    return rings;
  }

  /** Writes the rows that the entry takes in each of `steps`; `rings` holds those that were read. Throws SaddleError OPT708 for a row that the field does not have. */
  write(entry: BundleEntry, steps: readonly Scalars[], rings: Rings | undefined, write: WriteRing): void {
    for (const stream of entry.streams ?? [])
      write(stream.buffer, rings?.get(stream.buffer) ?? this.ring(stream, steps));
  }

  async close(): Promise<void> {
    for (const { source } of this.fields.values()) await source?.close();
  }

  private ring(stream: BundleStream, steps: readonly Scalars[]): Uint8Array {
    const { bytes, rowBytes } = this.field(stream);
    if (!bytes) throw new InternalError(`rows of '${stream.data}.${stream.field}' were not read`);
    const slot = this.slot(stream);
    const ring = new Uint8Array(slot * steps.length);
    for (const [k, scalars] of steps.entries())
      this.rowsOf(stream, scalars).forEach((row, i) => {
        ring.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), k * slot + i * rowBytes);
      });
    return ring;
  }

  private rowsOf(stream: BundleStream, scalars: Scalars): number[] {
    const { rows } = this.field(stream);
    const taken = Array.from(evaluateRows(stream.rows, scalars));
    for (const row of taken)
      if (!(row >= 0 && row < rows))
        fail(
          'OPT708',
          undefined,
          `row ${row} of '${stream.data}.${stream.field}', which has ${rows} (step ${scalars.step})`,
        );
    return taken;
  }

  private field(stream: BundleStream): HostField {
    const field = this.fields.get(`${stream.data}.${stream.field}`);
    if (!field) throw new InternalError(`the host has no field '${stream.data}.${stream.field}'`);
    return field;
  }

  private slot(stream: BundleStream): number {
    return this.slotBytes.get(stream.buffer) ?? 0;
  }
}

function bytesOf(values: Words): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Values of a field as the device stores them. */
export function words(field: DataField, values: NumberArray): Words {
  return field.storage === 'u8' ? (values as Uint8Array) : toDevice(values, field.storage === 'f32' ? 'f32' : 'i32');
}
