/**
 * Derivatives and batching of `cond`. The derivative of a choice is the choice between the derivatives of its branches, which compute what they need
 * again. With a predicate per element both branches are computed behind a mask, and each element takes its own.
 */
import { batchedRegion, condSpec, makeCond, regionParameter } from './closed.ts';
import { applyRegion } from './region.ts';
import { Terms } from './terms.ts';
import type {
  BatchContext,
  Builder,
  DerivativeContext,
  Image,
  Node,
  Region,
  SeveralRules,
  Transforms,
} from './types.ts';

/** A region of params like `like` (further ones included), with the results that `make` gives. */
function region(b: Builder, like: readonly Node[], make: (params: readonly Node[]) => readonly Node[]): Region {
  const params = like.map(({ type }) => regionParameter(b, 'k', type));
  return { params, results: make(params) };
}

/** Spreads values over the places whose flag is set. */
function placed(flags: readonly boolean[], value: (k: number) => Node): (Node | undefined)[] {
  let next = 0;
  return flags.map((flag) => (flag ? value(next++) : undefined));
}

function condVjp(
  { b, node, transform }: DerivativeContext,
  [, ...cotangents]: readonly (Node | undefined)[],
  [, ...needed]: readonly boolean[],
): readonly (Node | undefined)[] {
  const t = new Terms(b);
  const { predicate, consts, branches } = condSpec(node);
  const gs = cotangents.filter((g) => g !== undefined);
  const sides = branches.map((branch) => {
    const params = [...consts, ...gs].map(({ type }) => regionParameter(b, 'k', type));
    const args = params.slice(0, consts.length);
    const results = applyRegion(b, branch, args).filter((_, k) => cotangents[k] !== undefined);
    const wrt = args.filter((_, k) => needed[k]);
    return { params, pulled: transform.vjp(results, params.slice(consts.length), wrt) };
  });
  // an input that neither branch passes anything to stays without a cotangent
  const flags = sides[0].pulled.map((d, k) => d !== undefined || sides[1].pulled[k] !== undefined);
  const wrt = consts.filter((_, k) => needed[k]);
  const [first, second] = sides.map(({ params, pulled }): Region => {
    const results = pulled.map((d, k) => d ?? t.zeros(wrt[k].type)).filter((_, k) => flags[k]);
    return { params, results };
  });
  const choice = makeCond(b, predicate, [...consts, ...gs], [first, second]);
  const parts = placed(flags, (k) => choice.result(k));
  let next = 0;
  return [undefined, ...needed.map((flag) => (flag ? parts[next++] : undefined))];
}

function condJvp(
  { b, node, transform }: DerivativeContext,
  [, ...tangents]: readonly (Node | undefined)[],
): readonly (Node | undefined)[] {
  const { predicate, consts, branches } = condSpec(node);
  const given = tangents.filter((d) => d !== undefined);
  const moving = (params: readonly Node[]) => params.filter((_, k) => tangents[k] !== undefined);
  const [a, c] = branches.map((branch) => transform.active(branch.results, moving(branch.params)));
  const active = a.map((flag, k) => flag || c[k]);
  const derivative = (branch: Region) =>
    region(b, [...consts, ...given], (params) => {
      const [args, along] = [params.slice(0, consts.length), params.slice(consts.length)];
      const results = applyRegion(b, branch, args).filter((_, k) => active[k]);
      return transform.jvp(results, moving(args), along);
    });
  const choice = makeCond(b, predicate, [...consts, ...given], [derivative(branches[0]), derivative(branches[1])]);
  return [undefined, ...placed(active, (k) => choice.result(k))];
}

/** A choice made for all elements at once stays one; else each element selects from both branches. */
function condBatch(ctx: BatchContext, inputs: readonly Node[], mapped: readonly boolean[]): readonly Image[] {
  const [predicate, ...args] = inputs;
  const { branches } = condSpec(ctx.node);
  if (mapped[0]) return selectedByElement(ctx, inputs, mapped);
  const t = new Terms(ctx.b);
  const sides = branches.map((branch) => batchedRegion(ctx, branch, mapped.slice(1)));
  const flags = sides[0].images.map((image, k) => image.mapped || sides[1].images[k].mapped);
  const [first, second] = sides.map(({ params, images }): Region => {
    const results = images.map((image, k) => (flags[k] && !image.mapped ? t.lead(image.node, ctx.n) : image.node));
    return { params, results };
  });
  const choice = makeCond(ctx.b, predicate, args, [first, second]);
  return [
    { node: choice.taken(), mapped: false },
    ...flags.map((flag, k) => ({ node: choice.result(k), mapped: flag })),
  ];
}

function selectedByElement(
  { b, node, n, transform }: BatchContext,
  inputs: readonly Node[],
  mapped: readonly boolean[],
): readonly Image[] {
  const t = new Terms(b);
  const { branches } = condSpec(node);
  const [p, ...args] = node.inputs.map(({ type }) => regionParameter(b, 'k', type));
  const first = transform.masked(branches[0], args, p);
  const second = transform.masked(branches[1], args, b.make('not', [p]));
  const results = first.map((x, k) => t.select(t.spread(p, x.type.shape), x, second[k]));
  const images = new Map([p, ...args].map((param, k) => [param, { node: inputs[k], mapped: mapped[k] }]));
  return transform.vectorize([t.cast(p, 'i32'), ...results], images, n);
}

function condVaries(node: Node, [predicate, ...given]: readonly boolean[], transform: Pick<Transforms, 'varies'>) {
  const { branches } = condSpec(node);
  if (predicate) return (node.type.parts ?? []).map(() => true);
  const [a, b] = branches.map(({ params, results }) =>
    transform.varies(
      results,
      params.filter((_, k) => given[k]),
    ),
  );
  return [false, ...a.map((flag, k) => flag || b[k])];
}

export const condRules: SeveralRules = { vjp: condVjp, jvp: condJvp, batch: condBatch, varies: condVaries };
