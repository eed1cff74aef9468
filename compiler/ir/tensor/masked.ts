/**
 * Code that may run for elements that do not count: the branch of a select that is not taken, the further turns of a finished element. Its values are
 * thrown away, but it must neither fault nor let NaN flow back: indices that are checked become 0 there, and what it reads stands behind a `guard`.
 */
import { range, sizeOf } from '../../ops/arrays.ts';
import { condSpec, FLAG, type LoopSpec, loopSpec, makeCond, makeLoop, regionParameter } from '../../ops/closed.ts';
import { isRegion, ownDependencies } from '../../ops/region.ts';
import { op } from '../../ops/table.ts';
import { Terms } from '../../ops/terms.ts';
import type { Attrs, Builder, Node, Region } from '../../ops/types.ts';

/** Inputs of a node that are indices checked while running. */
export function checkedInputs(node: Node): number[] {
  const { checked, arity } = op(node.op);
  if (checked === undefined) return [];
  return arity === 'variadic' ? range(node.inputs.length).slice(checked) : [checked];
}

/**
 * Results of a closed region on `args`, for elements that may not count: where p (bool scalar) is false they are arbitrary, no run-time check fails,
 * and no derivative flows into the arguments. The caller selects.
 */
export function inlineMasked(b: Builder, region: Region, args: readonly Node[], p: Node): Node[] {
  const done = new Map<Node, Node>(
    region.params.map((param, k) => [param, args[k].type.dtype === 'f32' ? b.make('guard', [args[k], p]) : args[k]]),
  );
  const stack = [...region.results];
  while (stack.length > 0) {
    const node = stack[stack.length - 1];
    const waiting = done.has(node) ? [] : ownDependencies(node).filter((d) => !done.has(d));
    if (waiting.length > 0) {
      stack.push(...waiting);
      continue;
    }
    stack.pop();
    if (!done.has(node))
      done.set(
        node,
        b.at(node.span, () => maskedNode(b, node, done, p), node.path),
      );
  }
  return region.results.map((result) => done.get(result) as Node);
}

function maskedNode(b: Builder, node: Node, done: ReadonlyMap<Node, Node>, p: Node): Node {
  const image = (d: Node) => done.get(d) as Node;
  if (node.op === 'loop') return maskedLoop(b, loopSpec(node), node.inputs.map(image), p);
  if (node.op === 'cond') return maskedCond(b, node, node.inputs.map(image), p);
  const checked = checkedInputs(node);
  if (checked.length > 0) return maskedRead(b, node, node.inputs.map(image), checked, p);
  if (ownDependencies(node).every((d) => image(d) === d)) return node;
  return b.make(node.op, node.inputs.map(image), rewrittenAttrs(node.attrs, image));
}

/** Attributes with the results of (open) regions rewritten; params of a region are new to nobody. */
function rewrittenAttrs(attrs: Attrs, image: (node: Node) => Node): Attrs {
  return Object.fromEntries(
    Object.entries(attrs).map(([name, value]) => [
      name,
      isRegion(value) ? { params: value.params, results: value.results.map(image) } : value,
    ]),
  );
}

function maskedRead(b: Builder, node: Node, inputs: readonly Node[], checked: readonly number[], p: Node): Node {
  const t = new Terms(b);
  // an empty axis has no index 0 either: where it is read at all, the element does not count
  if (readsEmpty(node)) return t.zeros(node.type);
  const safe = inputs.map((input, k) =>
    checked.includes(k) ? t.select(t.spread(p, input.type.shape), input, t.zeros(input.type)) : input,
  );
  return b.make(node.op, safe, node.attrs);
}

function readsEmpty({ op: name, inputs, attrs }: Node): boolean {
  if (name === 'gather') return inputs[0].type.shape[attrs.axis as number] === 0 && sizeOf(inputs[1].type.shape) > 0;
  return name === 'scatter_add' && attrs.size === 0 && sizeOf(inputs[0].type.shape) > 0;
}

/** The loop with its body and condition masked; p is one more constant. An element that does not count takes no turn of a counted or conditional loop. */
function maskedLoop(b: Builder, spec: LoopSpec, inputs: readonly Node[], p: Node): Node {
  const t = new Terms(b);
  const first = spec.count ? 1 : 0;
  const xs = first + spec.carries.length;
  const [params, condParams] = [spec.body, spec.cond].map((region) =>
    region?.params.map(({ type, attrs }) => regionParameter(b, String(attrs.name), type)),
  );
  const [own, condOwn] = [regionParameter(b, 'p', FLAG), regionParameter(b, 'p', FLAG)];
  const masked = (region: Region, args: readonly Node[], flag: Node): Region => ({
    params: [...args, flag],
    results: inlineMasked(b, region, args, flag),
  });
  const cond = spec.cond && masked(spec.cond, condParams as Node[], condOwn);
  const loop = makeLoop(b, {
    ...spec,
    count: spec.count && t.select(p, inputs[0], t.zeros(inputs[0].type)),
    carries: inputs.slice(first, xs),
    xs: inputs.slice(xs, xs + spec.xs.length),
    consts: [...inputs.slice(xs + spec.xs.length), p],
    body: masked(spec.body, params as Node[], own),
    cond: cond && { params: cond.params, results: [b.make('and', [condOwn, cond.results[0]])] },
  });
  return loop.node;
}

function maskedCond(b: Builder, node: Node, [predicate, ...consts]: readonly Node[], p: Node): Node {
  const masked = (region: Region): Region => {
    const args = region.params.map(({ type }) => regionParameter(b, 'k', type));
    const own = regionParameter(b, 'p', FLAG);
    return { params: [...args, own], results: inlineMasked(b, region, args, own) };
  };
  const [first, second] = condSpec(node).branches;
  return makeCond(b, predicate, [...consts, p], [masked(first), masked(second)]).node;
}
