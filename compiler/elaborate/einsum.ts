/**
 * einsum("ij,jk->ik", a, b): sums of products named by one letter for each axis. Letters that stand twice in one operand take its diagonal, letters that
 * nothing else needs are summed at once, and operands are contracted in pairs, the pair with the smallest result first.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import type { Node } from '../ops/types.ts';
import type { BuiltinCall, BuiltinFn } from './builtins.ts';
import { tensor } from './values.ts';

/** A tensor with the letter of each axis. */
interface Operand {
  readonly node: Node;
  readonly labels: readonly string[];
}

export const einsum: BuiltinFn = (c) => {
  c.expect(2, Number.POSITIVE_INFINITY);
  const { inputs, output } = parse(c);
  const nodes = inputs.map((_, i) => c.float(i + 1));
  checkSizes(c, inputs, nodes);
  let operands = nodes.map((node, i) => diagonal(c, { node, labels: inputs[i] }));
  const needed = (except: readonly Operand[]): Set<string> =>
    new Set([...output, ...operands.filter((o) => !except.includes(o)).flatMap((o) => o.labels)]);
  operands = operands.map((o) => summed(c, o, needed([o])));
  while (operands.length > 1) {
    const [a, b] = cheapest(operands, needed);
    const product = contract(c, a, b, needed([a, b]));
    operands = [...operands.filter((o) => o !== a && o !== b), product];
  }
  const [{ node, labels }] = operands;
  const axes = output.map((l) => labels.indexOf(l));
  return tensor(axes.every((a, i) => a === i) ? node : c.e.make('permute', [node], { axes }));
};

/** The letters of each operand and of the result; without "->" those that stand once, in alphabetical order. */
function parse(c: BuiltinCall): { inputs: string[][]; output: string[] } {
  const value = c.value(0);
  if (value.kind !== 'text')
    fail('OPT311', c.at(0), 'einsum begins with a text that names the axes', { hint: 'einsum("ij,jk->ik", a, b)' });
  const text = value.value.replaceAll(' ', '');
  if (!/^[a-zA-Z]*(,[a-zA-Z]*)*(->[a-zA-Z]*)?$/.test(text))
    fail('OPT311', c.at(0), `einsum cannot read "${value.value}"`, {
      hint: 'one letter for each axis, a comma between operands, -> before the result: "ij,jk->ik"',
    });
  const [left, right] = text.split('->');
  const inputs = left.split(',').map((t) => [...t]);
  const all = inputs.flat();
  const once = [...new Set(all)].filter((l) => all.filter((m) => m === l).length === 1).sort();
  const output = right === undefined ? once : [...right];
  if (inputs.length !== c.positional.length - 1)
    fail('OPT311', c.at(0), `"${text}" names ${inputs.length} operands, but ${c.positional.length - 1} are given`, {
      hint: 'a comma stands between operands',
    });
  const unknown = output.find((l, i) => !all.includes(l) || output.indexOf(l) !== i);
  if (unknown !== undefined)
    fail(
      'OPT311',
      c.at(0),
      `the result of "${text}" names '${unknown}' ${all.includes(unknown) ? 'twice' : 'that no operand has'}`,
      {
        hint: 'each letter after -> stands in some operand, and once in the result',
      },
    );
  return { inputs, output };
}

/** Each operand has an axis for each of its letters, and a letter one size. */
function checkSizes(c: BuiltinCall, inputs: readonly (readonly string[])[], nodes: readonly Node[]): void {
  const sizes = new Map<string, { size: number; operand: number }>();
  nodes.forEach((node, i) => {
    const { shape } = node.type;
    if (shape.length !== inputs[i].length)
      fail(
        'OPT302',
        c.at(i + 1),
        `"${inputs[i].join('')}" names ${inputs[i].length} axes, but this has type ${c.e.typeText(node.type)}`,
        {
          labels: [{ span: c.at(0), text: 'named here' }],
          hint: 'one letter for each axis',
        },
      );
    inputs[i].forEach((label, a) => {
      const had = sizes.get(label);
      if (had && had.size !== shape[a])
        fail('OPT302', c.at(i + 1), `the axis '${label}' has ${c.e.dim(had.size)} elements and ${c.e.dim(shape[a])}`, {
          labels: [{ span: c.at(had.operand), text: `${c.e.dim(had.size)} elements here` }],
          hint: 'axes of one letter have one size',
        });
      sizes.set(label, { size: shape[a], operand: i + 1 });
    });
  });
}

/** Letters that stand twice become one: the diagonal, by reading every (n + 1)-th element of the two axes joined. */
function diagonal(c: BuiltinCall, given: Operand): Operand {
  let { node, labels } = given;
  for (;;) {
    const twice = labels.find((l, a) => labels.indexOf(l) !== a);
    if (twice === undefined) return { node, labels };
    const [p, q] = labels.flatMap((l, a) => (l === twice ? [a] : []));
    const kept = labels.map((_, a) => a).filter((a) => a !== p && a !== q);
    const { shape } = node.type;
    const n = shape[p];
    const lead = kept.map((a) => shape[a]);
    const moved = c.e.make('permute', [node], { axes: [...kept, p, q] });
    const flat = c.e.make('reshape', [moved], { shape: [...lead, n * n] });
    const start = [...lead, 0].map(() => 0);
    const stride = [...lead.map(() => 1), n + 1];
    node = c.e.make('slice', [flat], { start, limit: [...lead, n * n], stride });
    labels = [...kept.map((a) => labels[a]), twice];
  }
}

/** Sums the axes that nothing needs. */
function summed(c: BuiltinCall, { node, labels }: Operand, needed: ReadonlySet<string>): Operand {
  const axes = labels.flatMap((l, a) => (needed.has(l) ? [] : [a]));
  if (axes.length === 0) return { node, labels };
  return { node: c.e.make('reduce_sum', [node], { axes }), labels: labels.filter((l) => needed.has(l)) };
}

/** The pair whose product has the fewest elements. */
function cheapest(
  operands: readonly Operand[],
  needed: (except: readonly Operand[]) => Set<string>,
): [Operand, Operand] {
  let best: { pair: [Operand, Operand]; size: number } | undefined;
  for (const [i, a] of operands.entries()) {
    for (const b of operands.slice(i + 1)) {
      const wanted = needed([a, b]);
      const sizes = new Map([...dims(a), ...dims(b)].filter(([l]) => wanted.has(l)));
      const size = sizeOf([...sizes.values()]);
      if (!best || size < best.size) best = { pair: [a, b], size };
    }
  }
  return (best as { pair: [Operand, Operand] }).pair;
}

const dims = ({ node, labels }: Operand): [string, number][] => labels.map((l, a) => [l, node.type.shape[a]]);

function contract(c: BuiltinCall, a: Operand, b: Operand, needed: ReadonlySet<string>): Operand {
  const both = a.labels.filter((l) => b.labels.includes(l));
  const batch = both.filter((l) => needed.has(l));
  const shared = both.filter((l) => !needed.has(l));
  const at = (o: Operand, list: readonly string[]) => list.map((l) => o.labels.indexOf(l));
  const node = c.e.make('dot_general', [a.node, b.node], {
    lhs_contract: at(a, shared),
    rhs_contract: at(b, shared),
    lhs_batch: at(a, batch),
    rhs_batch: at(b, batch),
  });
  const free = (o: Operand) => o.labels.filter((l) => !both.includes(l));
  return { node, labels: [...batch, ...free(a), ...free(b)] };
}
