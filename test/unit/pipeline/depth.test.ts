/** A deep transformer with its gradient costs a constant number of nodes and kernels per layer: nothing in the compiler grows faster than the program. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compile, type Stage } from '../../../compiler/pipeline.ts';
import { Source } from '../../../compiler/source/source.ts';
import { root } from '../check/sources.ts';

const spec = (depth: number): string => `use nn { embedding, linear, layer_norm, transformer_block }
use losses { cross_entropy }
use rules { adamw }
dim T = 32
dim V = 64
data text = { c: i32(zeros(64, T + 1)) }
model Net(c: i32[n, T]) {
  let h[0] = embedding(c, V, 128)
  for l in 0..${depth} { let h[l + 1] = transformer_block(h[l], heads: 4, causal: true) }
  linear(layer_norm(h[${depth}]), V)
}
train 100 {
  batch b = text[8]
  update Net by adamw(1e-3) minimizing mean(cross_entropy(reshape(Net(b.c[:, 0..T]), -1, V), reshape(b.c[:, 1..T + 1], -1)))
}
`;

/** Lines of what a stage prints: one for each node, or for each kernel and value of one. */
function lines(depth: number, stages: readonly Stage[]): number[] {
  const result = compile(new Source('deep.opt', spec(depth)), {
    readImport: (name) => new Source(`${name}.opt`, readFileSync(join(root, 'stdlib', `${name}.opt`), 'utf8')),
    dataInfo: () => undefined,
    set: new Map(),
    profile: { class: 'software', subgroups: 8 },
  });
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('\n'));
  return stages.map((stage) => result.value.texts(stage).split('\n').length);
}

test('nodes and kernels of a transformer are linear in its depth', () => {
  const stages: readonly Stage[] = ['graph', 'optimized', 'kernels'];
  const [three, six, twelve] = [3, 6, 12].map((depth) => lines(depth, stages));
  stages.forEach((stage, i) => {
    const few = six[i] - three[i];
    const many = twelve[i] - six[i];
    expect(few, stage).toBeGreaterThan(3);
    // Twice as many layers more; a little is left for choices by size.
    expect(Math.abs(many - 2 * few), `${stage}: ${three[i]}, ${six[i]}, ${twelve[i]}`).toBeLessThanOrEqual(0.02 * many);
  });
});
