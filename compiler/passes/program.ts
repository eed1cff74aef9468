/** The passes on a whole program, entry by entry: the roots are an entry's outputs and writes. */
import { Graph } from '../ir/tensor/graph.ts';
import type { Program } from '../ir/program.ts';
import { runPasses, tensorPasses } from './index.ts';

/** Runs the passes entry by entry: roots are its outputs and writes. New nodes are numbered after all old ones, so that ids stay topological. */
export function optimizeProgram(program: Program): Program {
  const roots = program.entries.flatMap((entry) => [...entry.outputs, ...entry.writes]);
  const graph = new Graph(1 + Math.max(0, ...roots.map((r) => r.value.id)));
  const entries = program.entries.map((entry) => {
    const roots = runPasses(
      graph,
      [...entry.outputs.map((o) => o.value), ...entry.writes.map((w) => w.value)],
      tensorPasses,
    );
    return {
      ...entry,
      outputs: entry.outputs.map((o, i) => ({ ...o, value: roots[i] })),
      writes: entry.writes.map((w, i) => ({ ...w, value: roots[entry.outputs.length + i] })),
    };
  });
  return { ...program, entries };
}
