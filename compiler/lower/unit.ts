/** A kernel with what it reads and writes: the piece of work that is ordered, merged and finally dispatched. */
import type { Span } from '../source/source.ts';
import { accesses, type Kernel } from '../ir/kernel/kernel.ts';
import type { NestSpec } from './nest.ts';
import type { Storage } from './storage.ts';

export interface Unit {
  kernel: Kernel;
  readonly label: string;
  readonly spans: readonly Span[];
  /** Tensors read and written, by key. */
  reads: ReadonlySet<string>;
  writes: ReadonlySet<string>;
  readonly faults: boolean;
  /** How the kernel was made, where it is a nest: for making it again over several tensors at once. */
  readonly nest?: { readonly spec: NestSpec; readonly storage: Storage };
  readonly flops: number;
  readonly bytes: number;
}

export function unitOf(
  kernel: Kernel,
  label: string,
  spans: readonly Span[],
  flops: number,
  nest?: Unit['nest'],
): Unit {
  const a = accesses(kernel);
  let bytes = 0;
  for (const view of [...a.reads.values(), ...a.writes.values()])
    bytes += view.storage === 'u8' ? view.size : 4 * view.size;
  return {
    kernel,
    label,
    spans,
    reads: new Set(a.reads.keys()),
    writes: new Set(a.writes.keys()),
    faults: a.faults,
    nest,
    flops,
    bytes,
  };
}
