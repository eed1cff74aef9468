/**
 * Writes docs/primitives.md, the reference page of the primitives, from the op table: `npx tsx scripts/primitives.ts`
 * (`npm run test:update` does it too). A test fails where the page is not what the table says.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ops } from '../compiler/ops/table.ts';
import type { Lowering, OpDef } from '../compiler/ops/types.ts';

/** Sections in the order of the page; a primitive stands in the section of its lowering. */
const sections: Readonly<Record<Lowering['family'], string>> = {
  elementwise: 'Elementwise: all inputs have one shape, each element of the result depends on one element of each',
  reduce: 'Reductions over axes',
  scan: 'Running reductions along an axis',
  contraction: 'Contraction',
  index: 'Index arithmetic: no kernel of their own, other kernels read through them',
  gather: 'Reads at run-time indices; out of range is a run-time error',
  overlap: 'Sums of overlapping windows',
  scatter: 'Sums at run-time indices, in a fixed order',
  update: 'Writes at run-time indices',
  sort: 'Sorting',
  factor: 'Linear algebra',
  indexed: 'Random numbers',
  host: 'Evaluated on the host, once per step',
  region: 'Loops and branches: regions of code inside of a node',
  part: 'Results of loops and branches',
  alias: 'Marks: the value is that of the first input; they matter to derivatives and messages',
  source: 'Sources: values that are given',
};

const derivative = (op: OpDef): string => {
  if (op.several || op.lower.family === 'part') return 'both';
  if (op.vjp === 'none' && op.jvp === 'none') return 'none';
  return op.vjp === 'none' ? 'forward' : op.jvp === 'none' ? 'reverse' : 'both';
};

const error = (op: OpDef): string => {
  const { relative, absolute } = op.tolerance;
  if (relative === 0 && absolute === 0) return 'exact';
  // Absolute parts this small only keep the comparison at 0 from dividing by 0.
  return absolute < 1e-20 ? `${relative}` : `${relative}, ${absolute}`;
};

function row(op: OpDef): string {
  const about = op.about.replaceAll('|', '\\|');
  const inputs = op.arity === 'variadic' ? 'any' : String(op.arity);
  return `| \`${op.name}\` | ${inputs} | ${about} | ${derivative(op)} | ${op.batch === 'refused' && !op.several && op.lower.family !== 'part' ? 'no' : 'yes'} | ${error(op)} |`;
}

/** The whole page. */
export function primitivesPage(): string {
  const families = Object.keys(sections) as Lowering['family'][];
  const tables = families.map((family) => {
    const rows = ops.filter((op) => op.lower.family === family).map(row);
    return [
      `## ${sections[family]}`,
      '',
      '| primitive | inputs | meaning | derivatives | map | error |',
      '|---|---|---|---|---|---|',
      ...rows,
    ].join('\n');
  });
  return `# Primitives

What a spec is compiled to before it is fused: every function, layer, loss and rule becomes a graph of these ${ops.length} primitives. \`saddle explain FILE --stage graph\` prints it. This page is made from the op table in
\`compiler/ops\` by \`scripts/primitives.ts\`; to change it, change the records.

**inputs**: how many tensors it takes; static attributes stand in {braces} in the text. **derivatives**: whether reverse mode, forward mode or both pass through. **map**: whether \`map\` can add a leading axis. **error**: how
far the device may be from the float64 meaning, relative and (behind a comma) absolute; the tests of the table hold every primitive to it.

${tables.join('\n\n')}
`;
}

const path = fileURLToPath(import.meta.url);
if (process.argv[1] === path) writeFileSync(join(path, '../../docs/primitives.md'), primitivesPage());
