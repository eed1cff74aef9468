/** What each term of an update's objectives adds to the direction of a target: its sign after reversals, its factors, its name. */
import type { UpdateRecord } from '../ir/program.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { type Term, termsOf } from './directions.ts';
import { reach } from './reach.ts';

export interface Share {
  readonly term: Term;
  /** The name of the term, or its text. */
  readonly name: string;
  /** Whether its derivative is subtracted, after all reversals; the sense of the statement is not in it. */
  readonly negative: boolean;
  /** Number of reversals on these paths (3 stands for three and more). */
  readonly reversals: number;
  /** Factors as written, without their signs: those of the term, then those of the reversals. */
  readonly factors: readonly string[];
}

/** Text of a span of the source. */
export type TextOf = (span: Span) => string;

/** Shares of all terms that reach any of the leaves; a term that reaches them with several numbers of reversals has one for each. */
export function sharesOf(u: UpdateRecord, leaves: ReadonlySet<Node>, text: TextOf): Share[] {
  return u.objectives.flatMap((objective) =>
    termsOf(objective.node).flatMap((term) => {
      const { reversals, nodes } = reach(term.node, leaves);
      return reversals.map((count) => shareOf(term, count, nodes, text));
    }),
  );
}

function shareOf(term: Term, reversals: number, nodes: readonly Node[], text: TextOf): Share {
  const own = term.factors.map((f) => scalarText(f, text)).map((t) => t.replace(/^-/, ''));
  const reversed = nodes
    .slice(0, reversals)
    .map((n) => scalarText(n.inputs[1], text))
    .filter((t) => t !== '1');
  return {
    term,
    name: termName(term.node, text),
    negative: term.sign < 0 !== (reversals % 2 === 1),
    reversals,
    factors: reversals > 0 ? [...own, ...reversed] : own,
  };
}

/** The name of a term, or its text as written. */
export function termName(node: Node, text: TextOf): string {
  return node.op === 'name' ? (node.attrs.name as string) : expressionText(node, text);
}

function scalarText(node: Node, text: TextOf): string {
  if (node.op === 'constant') return String(node.attrs.value);
  if (node.op === 'parameter') return (node.attrs.name as string).replace(/^hyper:(.*\/)?/, '');
  return node.span ? text(node.span).replace(/\s+/g, ' ') : node.op;
}

function expressionText(node: Node, text: TextOf): string {
  const written = node.span ? text(node.span).replace(/\s+/g, ' ').trim() : node.op;
  const short = written.length > 60 ? `${written.slice(0, 57)}...` : written;
  return /^[\w.]+$/.test(short) || /^[\w.]+\(.*\)$/.test(short) ? short : `(${short})`;
}

/** The nodes of an update that belong to the target called `name`; all of them where none does. */
export function leavesOf(u: UpdateRecord, name: string): ReadonlySet<Node> {
  const own = (cell: string) => (u.run === '' ? cell : cell.slice(u.run.length + 1));
  const mine = u.wrt.filter((_, i) => own(u.targets[i]) === name || own(u.targets[i]).startsWith(`${name}.`));
  return new Set(mine.length > 0 ? mine : u.wrt);
}
