/** The verifier after every pass on whole programs: a spec that uses most constructs, and an update by every rule of the library. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Graph } from '../../../compiler/ir/tensor/graph.ts';
import { parse } from '../../../compiler/ir/tensor/parse.ts';
import { print } from '../../../compiler/ir/tensor/print.ts';
import { verify } from '../../../compiler/ir/tensor/verify.ts';
import { runPasses, tensorPasses } from '../../../compiler/passes/index.ts';
import { compileSpec } from '../elaborate/run-spec.ts';

const rules = ['sgd', 'adam', 'adamw', 'rmsprop', 'adagrad'];
const specs: readonly (readonly [string, string])[] = [
  ['wide.opt', readFileSync(join(import.meta.dirname, '../elaborate/wide.opt'), 'utf8')],
  ...rules.map((rule) => {
    const text = `use rules { ${rule}, clip, decay, shrink }
var x: f32[3] = [1.5, -0.7, 0.3]
var y: f32[2, 2] = 1
train 2 { update x, y by clip(1.0) |> decay(1e-3) |> ${rule}(lr: 0.1) |> shrink(1e-3) minimizing sum(sin(x)) * sum(y^2) }
`;
    return [rule, text] as const;
  }),
];

test.each(specs)('%s', (_, text) => {
  const { program } = compileSpec(text);
  for (const entry of program.entries) {
    const roots = [...entry.outputs.map((o) => o.value), ...entry.writes.map((w) => w.value)];
    expect(verify(roots), `${entry.id} as elaborated`).toEqual([]);
    const graph = new Graph(1 + Math.max(0, ...roots.map((r) => r.id)));
    runPasses(graph, roots, tensorPasses, (pass, now) => {
      expect(verify(now), `${entry.id} after ${pass.name}`).toEqual([]);
      const printed = print(now, { origins: false });
      expect(print(parse(printed), { origins: false }), `${entry.id} read back after ${pass.name}`).toBe(printed);
    });
  }
});
