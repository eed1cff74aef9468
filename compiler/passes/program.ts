/** The passes on a whole program, entry by entry: the roots are an entry's outputs and writes. */
import { Graph } from '../ir/tensor/graph.ts';
import type { Entry, Program } from '../ir/program.ts';
import type { Node } from '../ops/types.ts';
import { packed, unpackReads } from './halves.ts';
import { runPasses, tensorPasses } from './index.ts';

/** Runs the passes entry by entry: roots are its outputs and writes. New nodes are numbered after all old ones, so that ids stay topological. */
export function optimizeProgram(program: Program): Program {
  const last = Math.max(0, ...program.entries.flatMap(rootsOf).map((root) => root.id));
  const graph = new Graph(1 + last);
  const halves = new Map(program.cells.filter((c) => c.storage === 'f16').map((c) => [c.id, c]));
  const entries = program.entries.map((given) => {
    const writes = given.writes.map((w) => (halves.has(w.cell) ? { ...w, value: packed(graph, w.value) } : w));
    const entry = { ...given, writes };
    const next = runPasses(graph, unpackReads(graph, rootsOf(entry), halves), tensorPasses).values();
    const take = (): Node => next.next().value as Node;
    return {
      ...entry,
      outputs: entry.outputs.map((o) => ({ ...o, value: take(), ...(o.when && { when: take() }) })),
      writes: entry.writes.map((w) => ({ ...w, value: take() })),
    };
  });
  return { ...program, entries };
}

/** Outputs, each with its condition, then writes. */
function rootsOf(entry: Entry): Node[] {
  return [
    ...entry.outputs.flatMap((o) => (o.when ? [o.value, o.when] : [o.value])),
    ...entry.writes.map((w) => w.value),
  ];
}
