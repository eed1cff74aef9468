/** One entry lowered, scheduled and placed: its kernels in order and where each tensor lies. */
import { InternalError } from '../diagnostics/diagnostic.ts';
import type { Data, Entry } from '../ir/program.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { lowerEntry, type LoweredEntry } from '../lower/entry.ts';
import type { DeviceProfile } from '../lower/profile.ts';
import type { StatePlace } from '../lower/schedule.ts';
import { padded, wordOf } from '../lower/tensors.ts';
import type { TensorType } from '../ops/types.ts';
import type { Buffers, Place } from './layout.ts';
import { planTemporaries } from './memory.ts';

export interface PreparedEntry {
  readonly entry: Entry;
  readonly lowered: LoweredEntry;
  readonly tempBytes: number;
  /** Where a tensor of this entry lies, by key (see lower/tensors.ts). */
  readonly place: (tensor: string) => Place;
}

export function prepareEntry(
  entry: Entry,
  data: readonly Data[],
  profile: DeviceProfile,
  buffers: Buffers,
  cells: ReadonlyMap<string, Place>,
  times = 1,
): PreparedEntry {
  const cellPlace = (id: string): Place => {
    const place = cells.get(id);
    if (!place) throw new InternalError(`entry ${entry.id}: there is no cell '${id}'`);
    return place;
  };
  const statePlace: StatePlace = (memory) =>
    memory.startsWith('cell:') ? cellPlace(memory.slice('cell:'.length)) : undefined;
  const lowered = lowerEntry(entry, data, profile, statePlace, times);
  const temps = planTemporaries(lowered, lowered.tensors, profile.maxBindingBytes, lowered.spanOf);
  let tempBytes = 0;
  for (const [buffer, elements] of temps.sizes) {
    buffers.reserve(buffer, 'temps', buffer.includes(':words') ? 'u32' : 'f32', 4 * elements);
    tempBytes += 4 * elements;
  }
  const results = entry.outputs.flatMap((o) => (o.kind === 'result' ? [{ name: o.name, type: o.value.type }] : []));
  const inputPlaces = arenas(entry.inputs, 'inputs', buffers);
  const resultPlaces = arenas(results, 'results', buffers);
  buffers.reserve('params', 'params', 'u32', 4 * Math.max(0, ...lowered.params.map((p) => p.word + 1)));
  buffers.reserve('reports', 'reports', 'u32', 4 * lowered.reportWords);
  if (lowered.controlWords > 0) buffers.reserve('control', 'temps', 'u32', 4 * lowered.controlWords);
  const place = (tensor: string): Place => {
    const memory = lowered.tensors.memory(tensor);
    const colon = memory.indexOf(':');
    const name = memory.slice(colon + 1);
    let found: Place | undefined;
    switch (memory.slice(0, Math.max(0, colon))) {
      case 'cell':
        return cellPlace(name);
      case 'data':
        return { buffer: memory, offset: 0 };
      case 'params':
        return { buffer: 'params', offset: Number(name) };
      case 'report':
        return { buffer: 'reports', offset: Number(name) };
      case 'control':
        return { buffer: 'control', offset: Number(name) };
      case 'input':
        found = inputPlaces.get(name);
        break;
      case 'result':
        found = resultPlaces.get(name);
        break;
      default:
        found = temps.places.get(memory);
    }
    if (!found) throw new InternalError(`entry ${entry.id}: tensor ${tensor} has no place`);
    return found;
  };
  return { entry, lowered, tempBytes, place };
}

/** Places of an export's inputs or results, side by side in a buffer per element type that all exports share. */
function arenas(
  list: readonly { readonly name: string; readonly type: TensorType }[],
  name: string,
  buffers: Buffers,
): Map<string, Place> {
  const places = new Map<string, Place>();
  const used = { f32: 0, u32: 0 };
  for (const { name: item, type } of list) {
    const word = wordOf(type.dtype);
    const buffer = word === 'f32' ? name : `${name}:words`;
    places.set(item, { buffer, offset: used[word] });
    used[word] += padded(sizeOf(type.shape));
    buffers.reserve(buffer, 'inputs', word, 4 * used[word]);
  }
  return places;
}
