/**
 * Closed regions for whoever elaborates, lowers or rewrites them: builders of `loop` and `cond`, and `closeRegions`, which turns code that was written with
 * free use of what stands around it into regions that read only their params.
 */
import { bodyParams, condSpec, loopSpec, regionParameter } from '../../ops/closed.ts';
import { ownDependencies, rebuild } from '../../ops/region.ts';
import type { Node, Region } from '../../ops/types.ts';
import type { Graph } from './graph.ts';

export {
  bodyParams,
  type Branches,
  condSpec,
  type CondParts,
  type LoopParts,
  type LoopSpec,
  loopSpec,
  makeCond,
  makeLoop,
  part,
  regionParameter,
  rowType,
  stackedType,
} from '../../ops/closed.ts';
export { applyRegion } from '../../ops/region.ts';
export { checkedInputs, inlineMasked } from './masked.ts';

/** Regions that read only their params and constants. */
export interface Closed {
  /** The given regions, each with one more param for every one of `consts`, in order, behind its own. */
  readonly regions: readonly Region[];
  /** What the regions read from outside. */
  readonly consts: readonly Node[];
}

/** The values that the captured params of a loop or choice stand for: the same in every turn and branch. */
export function capturedValues(node: Node): (readonly [Node, Node])[] {
  if (node.op === 'cond') {
    const { consts, branches } = condSpec(node);
    return branches.flatMap(({ params }) => params.map((param, k) => [param, consts[k]] as const));
  }
  const spec = loopSpec(node);
  const inCondition = spec.cond?.params.slice(1 + spec.carries.length) ?? [];
  return [bodyParams(spec).consts, inCondition].flatMap((params) =>
    params.map((param, k) => [param, spec.consts[k]] as const),
  );
}

/**
 * Closes regions over what is older than `marker` (an id: `graph.nextId` before their code was made). All get the same constants, as the body and the
 * condition of a loop or the branches of a choice need them. Constants of the program are left inside, wherever they come from.
 */
export function closeRegions(graph: Graph, marker: number, regions: readonly Region[]): Closed {
  const consts = captured(marker, regions);
  return {
    consts,
    regions: regions.map(({ params, results }) => {
      const own = consts.map((node) => graph.at(node.span, () => regionParameter(graph, 'k', node.type), node.path));
      const map = new Map(consts.map((node, k) => [node, own[k]]));
      const closed = rebuild(results, map, (node, inputs, attrs) =>
        graph.at(node.span, () => graph.make(node.op, inputs, attrs), node.path),
      );
      return { params: [...params, ...own], results: closed };
    }),
  };
}

/** One region, closed. */
export function closeRegion(
  graph: Graph,
  marker: number,
  region: Region,
): { readonly region: Region; readonly consts: readonly Node[] } {
  const { regions, consts } = closeRegions(graph, marker, [region]);
  return { region: regions[0], consts };
}

/** Older nodes that the regions read directly, in ascending id order. */
function captured(marker: number, regions: readonly Region[]): Node[] {
  const params = new Set(regions.flatMap((region) => region.params));
  const seen = new Set<Node>();
  const found = new Set<Node>();
  const stack = regions.flatMap((region) => [...region.results]);
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node) || params.has(node)) continue;
    seen.add(node);
    // a cell, field or scalar first read inside is outside all the same
    if (node.op === 'parameter' && node.attrs.source !== 'region') found.add(node);
    // a result of an outer loop or choice may be named only here
    else if (node.op === 'part' && node.inputs[0].id < marker) found.add(node);
    else if (node.id >= marker) stack.push(...ownDependencies(node));
    else if (node.op !== 'constant') found.add(node);
  }
  return [...found].sort((a, b) => a.id - b.id);
}
