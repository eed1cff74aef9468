/**
 * Batching of `loop`. Where all elements take the same turns, the loop of one element becomes one with a leading axis on what differs. Where they do not
 * (a count or a condition by element), the loop goes on until no element does; each turn is computed behind a mask, and finished elements keep their carries.
 */
import { range } from './arrays.ts';
import {
  batchedRegion,
  bodyParams,
  FLAG,
  INDEX,
  loopAttrs,
  loopLayout,
  loopSpec,
  makeLoop,
  regionParameter,
} from './closed.ts';
import type { LoopSpec } from './closed.ts';
import { Terms } from './terms.ts';
import type { BatchContext, Image, Node, Region, Transforms } from './types.ts';

/** A loop of one element, and the images of its inputs. */
interface Batched extends Pick<LoopSpec, 'count' | 'max' | 'reversed' | 'body'> {
  readonly carries: readonly Image[];
  readonly xs: readonly Image[];
  readonly consts: readonly Image[];
  /** The condition of one element, the same for all; or of any of them: a bool carry, by its number. */
  readonly cond?: Region | number;
}

/** Images of turns done, carries and ys. */
export function batchLoop(ctx: BatchContext, inputs: readonly Node[], mapped: readonly boolean[]): readonly Image[] {
  const spec = loopSpec(ctx.node);
  const images = inputs.map((node, k): Image => ({ node, mapped: mapped[k] }));
  const at = loopLayout(images, loopAttrs(ctx.node.attrs));
  const loop: Batched = { ...spec, ...at, count: at.count?.node };
  if (spec.cond && (at.count?.mapped || conditionVaries(ctx.transform, flagsOf(loop), spec.cond)))
    return conditional(ctx, spec, at.count, loop);
  if (at.count?.mapped) return counted(ctx, spec, at.count, loop);
  return uniform(ctx, loop);
}

const mappedOf = (images: readonly Image[]) => images.map((image) => image.mapped);
const flagsOf = ({ body, carries, xs, consts }: Batched): Flags => ({
  body,
  carries: mappedOf(carries),
  xs: mappedOf(xs),
  consts: mappedOf(consts),
});

type Flags = Pick<LoopSpec, 'body'> & Record<'carries' | 'xs' | 'consts', readonly boolean[]>;

/** Which carries differ by element after any number of turns, and which rows. */
function varying(transform: Pick<Transforms, 'varies'>, { carries, xs, consts, body }: Flags) {
  for (let flags = carries; ;) {
    const given = body.params.filter((_, k) => [false, ...flags, ...xs, ...consts][k]);
    const results = transform.varies(body.results, given);
    const next = flags.map((flag, k) => flag || results[k]);
    if (next.every((flag, k) => flag === flags[k])) return { carries: next, ys: results.slice(next.length) };
    flags = next;
  }
}

function conditionVaries(transform: Pick<Transforms, 'varies'>, loop: Flags, cond: Region): boolean {
  const flags = [false, ...varying(transform, loop).carries, ...loop.consts];
  return transform.varies(
    cond.results,
    cond.params.filter((_, k) => flags[k]),
  )[0];
}

/** See `SeveralRules.varies`. */
export function loopVaries(
  node: Node,
  mapped: readonly boolean[],
  transform: Pick<Transforms, 'varies'>,
): readonly boolean[] {
  const { body, cond } = loopSpec(node);
  const flags = { body, ...loopLayout(mapped, loopAttrs(node.attrs)) };
  // elements that take turns of their own are masked in each
  if (flags.count || (cond && conditionVaries(transform, flags, cond))) return (node.type.parts ?? []).map(() => true);
  const { carries, ys } = varying(transform, flags);
  return [false, ...carries, ...ys];
}

/** All elements take the same turns. */
function uniform(ctx: BatchContext, loop: Batched): readonly Image[] {
  const { b, n } = ctx;
  const t = new Terms(b);
  const { carries, xs, consts, body, cond } = loop;
  const given = flagsOf(loop);
  const flags = varying(ctx.transform, given).carries;
  const lead = ({ node, mapped }: Image, flag: boolean) => (flag && !mapped ? t.lead(node, n) : node);
  const swapped = (x: Node) => t.permute(x, [1, 0, ...range(x.type.shape.length - 2).map((a) => a + 2)]);
  const { params, images } = batchedRegion(ctx, body, [false, ...flags, ...given.xs, ...given.consts]);
  const ys = images.slice(carries.length);
  const result = makeLoop(b, {
    count: loop.count,
    carries: carries.map((carry, k) => lead(carry, flags[k])),
    xs: xs.map(({ node, mapped }) => (mapped ? swapped(node) : node)),
    consts: consts.map((c) => c.node),
    max: loop.max,
    reversed: loop.reversed ?? false,
    body: { params, results: images.map((image, k) => lead(image, flags[k] ?? image.mapped)) },
    cond: cond === undefined ? undefined : condition(ctx, cond, flags, given.consts, params),
  });
  return [
    { node: result.turns(), mapped: false },
    ...flags.map((mapped, k) => ({ node: result.carry(k), mapped })),
    ...ys.map(({ mapped }, k) => ({ node: mapped ? swapped(result.ys(k)) : result.ys(k), mapped })),
  ];
}

/** The condition of the batched loop; `like` are the params of its body. */
function condition(
  ctx: BatchContext,
  cond: Region | number,
  carries: readonly boolean[],
  consts: readonly boolean[],
  like: readonly Node[],
): Region {
  if (typeof cond !== 'number') {
    const { params, images } = batchedRegion(ctx, cond, [false, ...carries, ...consts]);
    return { params, results: [images[0].node] };
  }
  const { b } = ctx;
  const types = [...like.slice(0, 1 + carries.length), ...like.slice(like.length - consts.length)];
  const params = types.map(({ type }) => regionParameter(b, 'c', type));
  const goesOn = params[1 + cond];
  return { params, results: [carries[cond] ? b.make('reduce_or', [goesOn], { axes: [0] }) : goesOn] };
}

/** New params of one element's body, and its results where `p` of them is true: carries stay as they are and rows are zero where it is not. */
function maskedTurn(ctx: BatchContext, spec: LoopSpec, p: (params: ReturnType<typeof bodyParams>) => Node) {
  const { b, transform } = ctx;
  const t = new Terms(b);
  const fresh = spec.body.params.map(({ type, attrs }) => regionParameter(b, String(attrs.name), type));
  const params = bodyParams({ ...spec, body: { params: fresh, results: [] } });
  const mask = p(params);
  const results = transform.masked(spec.body, fresh, mask).map((result, k) => {
    const kept = k < spec.carries.length ? params.carries[k] : t.zeros(result.type);
    return t.select(t.spread(mask, result.type.shape), result, kept);
  });
  return { params, results };
}

/** Turns by element, without a condition: as many as the longest takes. */
function counted(ctx: BatchContext, spec: LoopSpec, count: Image, loop: Batched): readonly Image[] {
  const { b, n } = ctx;
  const t = new Terms(b);
  const own = regionParameter(b, 'n', INDEX);
  const { params, results } = maskedTurn(ctx, spec, ({ i }) => t.compare('lt', i, own));
  const { i, carries, rows, consts } = params;
  const images = uniform(ctx, {
    ...loop,
    count: n === 0 ? t.zeros(INDEX) : b.make('reduce_max', [count.node], { axes: [0] }),
    consts: [...loop.consts, count],
    body: { params: [i, ...carries, ...rows, ...consts, own], results },
  });
  const zero = t.zeros(count.node.type);
  const turns = b.make('min', [b.make('max', [count.node, zero]), t.number(spec.max, zero)]);
  return [{ node: turns, mapped: true }, ...images.slice(1)];
}

/** A condition by element (and perhaps a count): whether an element goes on, and its turns, are two more carries. */
function conditional(ctx: BatchContext, spec: LoopSpec, count: Image | undefined, loop: Batched): readonly Image[] {
  const { b, n, transform } = ctx;
  const t = new Terms(b);
  const cond = spec.cond as Region;
  const limit = count ? regionParameter(b, 'n', INDEX) : t.b.constant(spec.max, INDEX);
  /** Does an element that went on until now take turn i? */
  const goesOn = (before: Node, i: Node, carries: readonly Node[], consts: readonly Node[]) => {
    const inside = b.make('and', [before, t.compare('lt', i, b.make('min', [limit, b.constant(spec.max, INDEX)]))]);
    return b.make('and', [inside, transform.masked(cond, [i, ...carries, ...consts], inside)[0]]);
  };
  const [alive, turns] = [regionParameter(b, 'alive', FLAG), regionParameter(b, 'turns', INDEX)];
  const { params, results } = maskedTurn(ctx, spec, () => alive);
  const { i, carries, rows, consts } = params;
  const next = goesOn(alive, t.plus(i, 1), results.slice(0, carries.length), consts);
  const done = t.add(turns, t.cast(alive, 'i32'));

  const first = goesOn(b.constant(1, FLAG), b.constant(0, INDEX), carries, consts);
  const inputs = new Map<Node, Image>([
    ...carries.map((param, k) => [param, loop.carries[k]] as const),
    ...consts.map((param, k) => [param, loop.consts[k]] as const),
    ...(count ? [[limit, count] as const] : []),
  ]);
  const [start] = transform.vectorize([first], inputs, n);
  const extra = count ? [count] : [];
  const images = uniform(ctx, {
    ...loop,
    count: undefined,
    carries: [...loop.carries, start, { node: b.constant(0, INDEX), mapped: false }],
    consts: [...loop.consts, ...extra],
    body: {
      params: [i, ...carries, alive, turns, ...rows, ...consts, ...(count ? [limit] : [])],
      results: [...results.slice(0, carries.length), next, done, ...results.slice(carries.length)],
    },
    cond: carries.length,
  });
  const at = 1 + carries.length;
  return [images[at + 1], ...images.slice(1, at), ...images.slice(at + 2)];
}
