/** Text of `explain --stage updates`: for every statement and target the update actually compiled, with its signs, reversals and stops. */
import type { Program, UpdateRecord } from '../ir/program.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { type Term, termsOf } from './directions.ts';
import { reach } from './reach.ts';

/** One paragraph for each entry that moves something. `text` gives the source of a span. */
export function updatesText(program: Program, text: (span: Span) => string): string {
  const lines: string[] = [];
  const entries = new Map<string, UpdateRecord[]>();
  for (const u of program.updates) entries.set(u.entry, [...(entries.get(u.entry) ?? []), u]);
  for (const [entry, updates] of entries) {
    lines.push(`${entry}:`);
    const shown = new Map<string, number>();
    for (const u of updates)
      for (const line of updateLines(program, u, text)) shown.set(line, (shown.get(line) ?? 0) + 1);
    for (const [line, times] of shown) lines.push(`  ${line}${times > 1 ? `   (${times} times a step)` : ''}`);
    const moves = updates.filter((u) => u.sense !== 'write');
    if (new Set(moves.map((u) => u.span.start)).size > 1)
      lines.push(
        moves.some((u) => u.alternating)
          ? '  alternating: later statements read what earlier ones have moved'
          : '  simultaneous: no statement reads what another has moved',
      );
  }
  return lines.length === 0 ? 'nothing is moved\n' : `${lines.join('\n')}\n`;
}

function updateLines(program: Program, u: UpdateRecord, text: (span: Span) => string): string[] {
  const one = (s: string) => s.replace(/\s+/g, ' ').trim();
  if (u.sense === 'write') return [`${u.targetNames.join(', ')} <- ${one(u.by)}`];
  return u.targetNames.map((name) => {
    const leaves = new Set(u.wrt.filter((_, i) => belongs(program, u.targets[i], name, u.run)));
    const direction = u.sense === 'along' ? 'the direction given' : descent(u, leaves, text);
    const sign = u.sense === 'maximizing' ? '+' : '-';
    const rate = rateOf(u.by);
    const step = rate === undefined ? `(${direction})` : `${rate} * (${direction})`;
    return `${name} <- ${name} ${sign} ${step}  by ${one(u.by)}`;
  });
}

/** Whether a moved cell is a leaf of the target called `name`. */
function belongs(program: Program, cell: string, name: string, run: string): boolean {
  const own = run === '' ? cell : cell.slice(run.length + 1);
  return own === name || own.startsWith(`${name}.`) || program.updates.length === 0;
}

/** `d label - lambda * d domain`: terms that reach the target, with signs after reversals. */
function descent(u: UpdateRecord, leaves: ReadonlySet<Node>, text: (span: Span) => string): string {
  const targets = leaves.size > 0 ? leaves : new Set(u.wrt);
  const parts: string[] = [];
  for (const objective of u.objectives) {
    for (const term of termsOf(objective.node)) {
      const { reversals, nodes } = reach(term.node, targets);
      if (reversals.length === 0) continue;
      for (const count of reversals) parts.push(part(term, count, nodes, text, parts.length === 0));
    }
  }
  return parts.join(' ') || '0';
}

function part(
  term: Term,
  reversals: number,
  nodes: readonly Node[],
  text: (span: Span) => string,
  first: boolean,
): string {
  const negative = term.sign < 0 !== (reversals % 2 === 1);
  const factors = term.factors.map((f) => scalarText(f, text)).map((t) => t.replace(/^-/, ''));
  if (reversals > 0)
    factors.push(
      ...nodes
        .slice(0, reversals)
        .map((n) => scalarText(n.inputs[1], text))
        .filter((t) => t !== '1'),
    );
  const name = term.node.op === 'name' ? (term.node.attrs.name as string) : expressionText(term.node, text);
  const body = [...factors, `d ${name}`].join(' * ');
  if (first) return negative ? `-${body}` : body;
  return negative ? `- ${body}` : `+ ${body}`;
}

function scalarText(node: Node, text: (span: Span) => string): string {
  if (node.op === 'constant') return String(node.attrs.value);
  if (node.op === 'parameter') return (node.attrs.name as string).replace(/^hyper:(.*\/)?/, '');
  return node.span ? text(node.span).replace(/\s+/g, ' ') : node.op;
}

function expressionText(node: Node, text: (span: Span) => string): string {
  const written = node.span ? text(node.span).replace(/\s+/g, ' ').trim() : node.op;
  const short = written.length > 60 ? `${written.slice(0, 57)}...` : written;
  return /^[\w.]+$/.test(short) || /^[\w.]+\(.*\)$/.test(short) ? short : `(${short})`;
}

/** The rate of the last rule of a pipeline, as written: its first argument. */
function rateOf(by: string): string | undefined {
  const last = by.split('|>').pop()?.trim() ?? '';
  const named = /\blr\s*:\s*([^,)]+)/.exec(last);
  if (named) return named[1].trim();
  const first = /^\w+\s*\(\s*([^,():]+)\s*[,)]/.exec(last);
  return first?.[1].trim();
}
