/**
 * Every loop and choice gets params of its own. A graph that was copied with other inputs (`at`, a call that was elaborated before) shares its closed regions with the
 * first, which is right as long as a region is only a function; later passes and kernels know what a region reads by its params.
 */
import { type Graph, reachable } from '../ir/tensor/graph.ts';
import { regionParameter } from '../ir/tensor/regions.ts';
import { remake, substitute } from '../ir/tensor/rewrite.ts';
import { isRegion, ownDependencies, regionsOf, withRegions } from '../ops/region.ts';
import type { Attrs, Node, Region } from '../ops/types.ts';
import { definePass } from './pass.ts';

export const ownParams = definePass({
  name: 'own-params',
  about: 'Gives every loop and choice params of its own.',
  run: (graph, roots) => new Separation(graph).level(roots),
});

class Separation {
  private readonly graph: Graph;
  /** The first node met that has the param. */
  private readonly owners = new Map<Node, Node>();

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** The roots of one level, regions inside done too. */
  level(roots: readonly Node[]): Node[] {
    const done = new Map<Node, Node>();
    const image = (node: Node): Node => done.get(node) ?? node;
    for (const node of reachable(roots, ownDependencies)) {
      const inputs = node.inputs.map(image);
      const make = (attrs: Attrs): Node =>
        this.graph.at(node.span, () => remake(this.graph, node, inputs, attrs), node.path);
      if (node.type.parts) done.set(node, make(this.separated(node)));
      else if (regionsOf(node).some(({ results }) => results.some((r) => image(r) !== r)))
        done.set(node, make(withRegions(node.attrs, image)));
      else done.set(node, make(node.attrs));
    }
    return roots.map(image);
  }

  private separated(node: Node): Attrs {
    let changed = false;
    const attrs = Object.entries(node.attrs).map(([name, value]): [string, Attrs[string]] => {
      if (!isRegion(value)) return [name, value];
      const own = this.region(node, value);
      changed ||= own !== value;
      return [name, own];
    });
    return changed ? Object.fromEntries(attrs) : node.attrs;
  }

  private region(node: Node, region: Region): Region {
    let { params, results } = region;
    if (params.some((param) => (this.owners.get(param) ?? node) !== node)) {
      const fresh = params.map((p) =>
        this.graph.at(p.span, () => regionParameter(this.graph, String(p.attrs.name), p.type), p.path),
      );
      results = substitute(this.graph, results, new Map(params.map((p, k) => [p, fresh[k]])));
      params = fresh;
    }
    for (const param of params) this.owners.set(param, node);
    const inside = this.level(results);
    const same = params === region.params && inside.every((r, k) => r === region.results[k]);
    return same ? region : { params, results: inside };
  }
}
