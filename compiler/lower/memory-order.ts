/**
 * Orders the kernels of an entry so that its temporaries take little memory. They come as they were made, unless another order needs less at once: one that
 * follows each chain of values to its end before it begins another, or goes back from each result to all that it needs before it turns to the next (so that the
 * passes of an estimator come one after the other), and makes what needs no other kernel right before it is needed.
 */
import { sizeOf } from '../ir/tensor/graph.ts';
import type { UnitGraph } from './schedule.ts';
import type { Tensors } from './tensors.ts';
import type { Item } from './unit.ts';

/** Part by which an order must be better than the one in which kernels were made. */
const WORTH = 0.02;

/** The best of the orders that are tried, of equals the first. */
export function memoryOrder(graph: UnitGraph, tensors: Tensors): Item[] {
  const sizes = new Sizes(graph.units, tensors);
  const made = graph.order();
  const chains = graph.inOrder((a, b, place) => place(b) - place(a) || a - b);
  const orders = [made, graph.late(graph.demanded()), graph.late(made), graph.late(chains)];
  const peaks = orders.map((order) => sizes.peak(order));
  const least = Math.min(...peaks.slice(1));
  return least < (1 - WORTH) * peaks[0] ? orders[peaks.lastIndexOf(least)] : made;
}

/** Elements of temporaries, and what they do to memory as units are done. */
class Sizes {
  private readonly elements = new Map<string, number>();
  /** Units that read each temporary. */
  private readonly readers = new Map<string, Set<number>>();

  constructor(units: readonly Item[], tensors: Tensors) {
    units.forEach((unit, k) => {
      for (const t of unit.writes)
        if (tensors.isFree(t)) this.elements.set(t, sizeOf(tensors.get(t)?.type.shape ?? []));
      for (const t of unit.reads) this.readers.set(t, (this.readers.get(t) ?? new Set<number>()).add(k));
    });
  }

  /** Most elements in memory at once. */
  peak(order: readonly Item[]): number {
    const left = new Map([...this.readers].map(([t, list]) => [t, list.size]));
    let now = 0;
    let most = 0;
    for (const unit of order) {
      for (const t of unit.writes) now += this.elements.get(t) ?? 0;
      most = Math.max(most, now);
      for (const t of unit.reads) {
        const rest = (left.get(t) ?? 0) - 1;
        left.set(t, rest);
        if (rest === 0) now -= this.elements.get(t) ?? 0;
      }
    }
    return most;
  }
}
