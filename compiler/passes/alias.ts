/** Once derivatives are taken, barriers have done their work: a `stop` is its input. */
import { rewrite } from '../ir/tensor/rewrite.ts';
import { op } from '../ops/table.ts';
import { definePass } from './pass.ts';

export const alias = definePass({
  name: 'alias',
  about: 'Replaces stops, reversals, names, versions and custom gradients by the value they stand for.',
  run: (graph, roots) =>
    rewrite(graph, roots, (node) => (op(node.op).lower.family === 'alias' ? node.inputs[0] : node)),
});
