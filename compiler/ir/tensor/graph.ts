/**
 * Builds tensor graphs. A `Graph` numbers nodes and carries the current source span and call path, which every node made
 * meanwhile receives. It holds no list of nodes: a program is whatever its outputs reach.
 */
import { dependencies } from '../../ops/region.ts';
import { op as opOf } from '../../ops/table.ts';
import { type Attrs, type Builder, type Node, type TensorType } from '../../ops/types.ts';
import type { Span } from '../../source/source.ts';

export { sizeOf, typeText } from '../../ops/arrays.ts';

export class Graph implements Builder {
  private next: number;
  span: Span | undefined;
  path: string | undefined;

  /** `first`: id of the first node made; above all ids of another graph whose nodes are to be built upon. */
  constructor(first = 0) {
    this.next = first;
  }

  /** Id of the next node made: what has a smaller id is older. */
  get nextId(): number {
    return this.next;
  }

  /** Makes a node; throws ShapeError where the inputs do not fit the op. */
  make(op: string, inputs: readonly Node[], attrs: Attrs = {}): Node {
    const type = opOf(op).infer(
      inputs.map((i) => i.type),
      attrs,
    );
    return { id: this.next++, op, inputs, attrs, type, span: this.span, path: this.path };
  }

  /** A splat constant of any shape. */
  constant(value: number, type: TensorType): Node {
    return this.make('constant', [], { dtype: type.dtype, shape: type.shape, value });
  }

  /** A dense constant; `values` row-major. */
  dense(values: readonly number[], type: TensorType): Node {
    return this.make('constant', [], { dtype: type.dtype, shape: type.shape, values });
  }

  /**
   * A leaf: a cell's value at the entry's start, a data field, a host scalar, an export's input, or a region's parameter.
   * `name` is the cell id, `set.field`, scalar name ('seed', 'step', 'steps', 'progress', 'hyper:lr'), or input name.
   */
  parameter(source: ParameterSource, name: string, type: TensorType): Node {
    return this.make('parameter', [], { source, name, dtype: type.dtype, shape: type.shape });
  }

  /** Runs `body` with nodes attributed to `span` (and `path` where given). */
  at<T>(span: Span | undefined, body: () => T, path?: string): T {
    const before = { span: this.span, path: this.path };
    if (span) this.span = span;
    if (path !== undefined) this.path = path;
    try {
      return body();
    } finally {
      this.span = before.span;
      this.path = before.path;
    }
  }
}

export type ParameterSource = 'cell' | 'data' | 'scalar' | 'input' | 'region';

/** Id of the cell that a node reads by its form, or undefined. */
export function cellRead(node: Node): string | undefined {
  if (node.op === 'version') return node.attrs.cell as string;
  return node.op === 'parameter' && node.attrs.source === 'cell' ? (node.attrs.name as string) : undefined;
}

/**
 * All nodes that the roots reach, in topological (id) order. `next` says where one leads on to; without it to all that it depends on, the results of its
 * regions included.
 */
export function reachable(roots: Iterable<Node>, next: (node: Node) => readonly Node[] = dependencies): Node[] {
  const seen = new Set<Node>();
  const stack: Node[] = [...roots];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const dependency of next(node)) stack.push(dependency);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
