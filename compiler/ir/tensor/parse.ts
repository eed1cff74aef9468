/**
 * Reads the text form of `print.ts`. The types of the text are checked against those that the op table infers, so a
 * hand-written graph is verified as it is read. Errors name the line; they are mistakes of a test or a tool, not of a user.
 */
import type { Attrs, AttrValue, Node } from '../../ops/types.ts';
import type { Span } from '../../source/source.ts';
import { Graph, typeText } from './graph.ts';

/** The text is no tensor graph. */
export class GraphTextError extends Error {
  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.name = 'GraphTextError';
  }
}

const NODE = /^\s*%(\d+): (.+?) = (\w+)\(([^)]*)\)(?: (\{.*\}))?$/;
const RETURN = /^return ((?:%\d+(?:, )?)*)$/;
const TOKEN = /\s*(->|[{}[\](),:]|%\d+|"(?:[^"\\]|\\.)*"|-?[\w.+-]+)/y;

/** Builds the graph in `graph` (a new one by default) and returns its roots. */
export function parse(text: string, graph: Graph = new Graph()): Node[] {
  const nodes = new Map<string, Node>();
  const lines = text.split('\n');
  for (const [index, full] of lines.entries()) {
    const fault = (message: string): never => {
      throw new GraphTextError(index + 1, message);
    };
    if (full.trim() === '') continue;
    const node = (name: string): Node => nodes.get(name) ?? fault(`${name} is not defined above`);
    const list = (names: string) => (names === '' ? [] : names.split(', ').map(node));
    const { code, span, path } = splitOrigin(full);
    const end = RETURN.exec(code);
    if (end) return list(end[1]);
    const match = NODE.exec(code) ?? fault(`'${code.trim()}' is no node`);
    const [, number, type, op, inputs, attrs] = match;
    if (nodes.has(`%${number}`)) fault(`%${number} is defined twice`);
    graph.span = span;
    graph.path = path;
    const made = graph.make(op, list(inputs), attrs ? new AttrReader(attrs, node, fault).attrs() : {});
    if (typeText(made.type) !== type) fault(`'${op}' has type ${typeText(made.type)}, not ${type}`);
    nodes.set(`%${number}`, made);
  }
  throw new GraphTextError(lines.length, "the last line must be 'return' with the roots");
}

/** Code of a line, and the origin in its comment. A comment begins outside of string attributes. */
function splitOrigin(line: string): { code: string; span?: Span; path?: string } {
  const match = / \/\/ (?:("(?:[^"\\]|\\.)*") (\d+)\.\.(\d+))?(?: ?@("(?:[^"\\]|\\.)*"))?$/.exec(line);
  if (!match) return { code: line };
  const [comment, file, start, end, path] = match;
  return {
    code: line.slice(0, line.length - comment.length),
    span: file === undefined ? undefined : { file: JSON.parse(file) as string, start: Number(start), end: Number(end) },
    path: path === undefined ? undefined : (JSON.parse(path) as string),
  };
}

/** Reads `{name: value, …}`. */
class AttrReader {
  private readonly tokens: string[] = [];
  private next = 0;
  private readonly node: (name: string) => Node;
  private readonly fault: (message: string) => never;

  constructor(text: string, node: (name: string) => Node, fault: (message: string) => never) {
    this.node = node;
    this.fault = fault;
    TOKEN.lastIndex = 0;
    for (let m = TOKEN.exec(text); m; m = TOKEN.exec(text)) this.tokens.push(m[1]);
  }

  attrs(): Attrs {
    const attrs: Record<string, AttrValue> = {};
    this.expect('{');
    while (!this.accept('}')) {
      const name = this.take();
      this.expect(':');
      attrs[name] = this.value();
      this.accept(',');
    }
    return attrs;
  }

  private value(): AttrValue {
    if (this.accept('(')) {
      const params = this.nodesUpTo(')');
      this.expect('->');
      this.expect('(');
      return { params, results: this.nodesUpTo(')') };
    }
    if (!this.accept('[')) return this.scalar();
    const items: (number | string)[] = [];
    while (!this.accept(']')) {
      items.push(this.scalar() as number | string);
      this.accept(',');
    }
    return items as number[] | string[];
  }

  private nodesUpTo(close: string): Node[] {
    const nodes: Node[] = [];
    while (!this.accept(close)) {
      nodes.push(this.node(this.take()));
      this.accept(',');
    }
    return nodes;
  }

  private scalar(): number | string | boolean {
    const token = this.take();
    if (token.startsWith('"')) return JSON.parse(token) as string;
    if (token === 'true' || token === 'false') return token === 'true';
    if (token === 'nan') return NaN;
    if (token === 'inf' || token === '-inf') return token === 'inf' ? Infinity : -Infinity;
    const value = Number(token);
    return Number.isNaN(value) ? this.fault(`'${token}' is no attribute value`) : value;
  }

  private take(): string {
    return this.tokens[this.next++] ?? this.fault('the attributes end too early');
  }
  private accept(token: string): boolean {
    if (this.tokens[this.next] !== token) return false;
    this.next++;
    return true;
  }
  private expect(token: string): void {
    if (!this.accept(token)) this.fault(`expected '${token}' in the attributes`);
  }
}
