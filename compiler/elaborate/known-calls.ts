/**
 * Calls that were elaborated before. A fn of tensors that reads nothing but its arguments, draws nothing and records nothing gives the same graph for arguments of the
 * same types: it is elaborated once, and copied for later calls. Loops inside are closed, so a copy of them is one node; the pass own-params gives each params of its own.
 */
import type * as ast from '../ast/nodes.ts';
import { reachable } from '../ir/tensor/graph.ts';
import { regionParameter } from '../ops/closed.ts';
import { isRegion, ownDependencies, regionsOf } from '../ops/region.ts';
import type { Attrs, Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { parametersOf } from './arguments.ts';
import type { Elaboration } from './context.ts';
import { mapNodes } from './convert.ts';
import type { Frame } from './scope.ts';
import type { Template, Value } from './values.ts';

/** The first call for arguments of some types. */
interface Known {
  readonly args: readonly Node[];
  readonly value: Value;
  /** Id of the first node of its elaboration. */
  readonly marker: number;
  readonly path: string;
}

export class KnownCalls {
  private readonly calls = new Map<ast.FnDecl, Map<string, Known>>();
  /** Fns that read more than their arguments. */
  private readonly open = new Set<ast.FnDecl>();

  /** The value of a call of the file-level fn `t`: elaborated by `build`, or copied from an earlier call. */
  value(e: Elaboration, t: Template, frame: Frame, span: Span, build: () => Value): Value {
    const decl = t.decl;
    if (decl.kind !== 'fn' || t.frame.body !== 'file' || e.keeping || this.open.has(decl)) return build();
    const given = argumentsOf(e, t);
    if (!given) return build();
    const known = this.calls.get(decl)?.get(given.key);
    const path = frame.path.join('/');
    if (known) return copied(e, known, given.nodes, path, span);
    const marker = e.graph.nextId;
    const before = counts(e);
    const value = build();
    const same = counts(e).every((count, k) => count === before[k]);
    if (!same || !readsOnly(e, value, given.nodes, marker, span)) this.open.add(decl);
    else {
      const own = this.calls.get(decl) ?? new Map<string, Known>();
      this.calls.set(decl, own.set(given.key, { args: given.nodes, value, marker, path }));
    }
    return value;
  }
}

/** Grows with whatever text does beside computing, and with what it looks at beside the values that it was given. */
function counts(e: Elaboration): number[] {
  return [
    e.lookedAround,
    e.entry.outputs.length,
    e.entry.lasting,
    e.updates.length,
    e.diagnostics.length,
    e.errors.length,
    e.hiddenMetrics,
    e.cells.size,
    e.models.length,
    e.collectives.size,
  ];
}

/** The tensors that a call is given, and what decides about its elaboration; undefined where that is more than types and numbers. */
function argumentsOf(
  e: Elaboration,
  t: Template,
): { readonly nodes: readonly Node[]; readonly key: string } | undefined {
  const nodes: Node[] = [];
  // a loop that is looked at is straight code
  let key = e.looking ? 'look' : '';
  for (const param of parametersOf(t)) {
    const value = t.bound.get(param.name.text);
    if (value === undefined) key += ';';
    else if (value.kind === 'exact') key += `;=${value.value} ${value.integral}`;
    else if (value.kind === 'truth') key += `;${value.value}`;
    else if (value.kind === 'tensor') {
      const { node } = value;
      // whole numbers may be bounds and indices, whose places in the graph count
      if (node.type.dtype === 'i32' || node.type.dtype === 'u32' || node.op === 'constant') return undefined;
      const first = nodes.indexOf(node);
      if (first < 0) nodes.push(node);
      key += `;${node.type.dtype}[${node.type.shape.join()}]${first}`;
    } else return undefined;
  }
  return nodes.length > 0 ? { nodes, key } : undefined;
}

/** Whether the value is made of the arguments alone, without draws. */
function readsOnly(e: Elaboration, value: Value, args: readonly Node[], marker: number, span: Span): boolean {
  return graphOf(e, value, marker, span).every((node) => {
    if (args.includes(node) || node.op === 'constant') return true;
    const outer = node.op === 'parameter' && node.attrs.source !== 'region';
    return node.id >= marker && node.op !== 'random_key' && !outer;
  });
}

/**
 * The graph of the first call on other arguments, as if it had been elaborated here. All of it is made anew, also what depends on no argument and `rebuild` would share: that is
 * older than a loop in which the copy may stand, and would count as a value from around it.
 */
function copied(e: Elaboration, known: Known, args: readonly Node[], path: string, span: Span): Value {
  const images = new Map<Node, Node>(known.args.map((node, k) => [node, args[k]]));
  const image = (node: Node): Node => images.get(node) ?? node;
  for (const node of graphOf(e, known.value, known.marker, span)) {
    if (node.id < known.marker || node.op === 'constant') continue;
    const at = node.path?.startsWith(known.path) ? path + node.path.slice(known.path.length) : path;
    const make = (): Node =>
      node.op === 'parameter'
        ? regionParameter(e.graph, String(node.attrs.name), node.type)
        : e.make(node.op, node.inputs.map(image), copiedAttrs(node, image));
    images.set(node, e.graph.at(node.span, make, at));
  }
  return mapNodes(e, known.value, span, image);
}

/** Attributes with the images of open regions. A closed one is a function of its params, and shared. */
function copiedAttrs(node: Node, image: (node: Node) => Node): Attrs {
  if (node.type.parts || regionsOf(node).length === 0) return node.attrs;
  const open = Object.entries(node.attrs).map(([name, value]) => [
    name,
    isRegion(value) ? { params: value.params.map(image), results: value.results.map(image) } : value,
  ]);
  return Object.fromEntries(open) as Attrs;
}

/** What a value is made of, inputs first, down to what is older than `marker`. */
function graphOf(e: Elaboration, value: Value, marker: number, span: Span): Node[] {
  return reachable(nodesOf(e, value, span), (node) => (node.id < marker ? [] : ownDependencies(node)));
}

function nodesOf(e: Elaboration, value: Value, span: Span): Node[] {
  const nodes: Node[] = [];
  mapNodes(e, value, span, (node) => {
    nodes.push(node);
    return node;
  });
  return nodes;
}
