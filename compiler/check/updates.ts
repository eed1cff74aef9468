/** Text of `explain --stage updates`: for every statement and target the update actually compiled, with its signs, reversals and stops. */
import type { Program, UpdateRecord } from '../ir/program.ts';
import { leavesOf, type Share, sharesOf, type TextOf } from './shares.ts';

/** One paragraph for each entry that moves something. `text` gives the source of a span. */
export function updatesText(program: Program, text: TextOf): string {
  const lines: string[] = [];
  const entries = new Map<string, UpdateRecord[]>();
  for (const u of program.updates) entries.set(u.entry, [...(entries.get(u.entry) ?? []), u]);
  for (const [entry, updates] of entries) {
    lines.push(`${entry}:`);
    const shown = new Map<string, number>();
    for (const u of updates) for (const line of updateLines(u, text)) shown.set(line, (shown.get(line) ?? 0) + 1);
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

function updateLines(u: UpdateRecord, text: TextOf): string[] {
  const one = (s: string) => s.replace(/\s+/g, ' ').trim();
  if (u.sense === 'write') return [`${u.targetNames.join(', ')} <- ${one(u.by)}`];
  return u.targetNames.map((name) => {
    const direction =
      u.sense === 'along'
        ? 'the direction given'
        : u.with !== ''
          ? `${one(u.with)} of ${listed(u.objectives.map((o) => one(o.text)))}`
          : descent(sharesOf(u, leavesOf(u, name), text));
    const sign = u.sense === 'maximizing' ? '+' : '-';
    const rate = rateOf(u.by);
    const step = rate === undefined ? `(${direction})` : `${rate} * (${direction})`;
    return `${name} <- ${name} ${sign} ${step}  by ${one(u.by)}`;
  });
}

const listed = (texts: readonly string[]): string => (texts.length === 1 ? texts[0] : `{ ${texts.join(', ')} }`);

/** `d label - lambda * d domain`: terms that reach the target, with signs after reversals. */
function descent(shares: readonly Share[]): string {
  const parts = shares.map(({ negative, factors, name }, i) => {
    const body = [...factors, `d ${name}`].join(' * ');
    if (i === 0) return negative ? `-${body}` : body;
    return negative ? `- ${body}` : `+ ${body}`;
  });
  return parts.join(' ') || '0';
}

/** The rate of the last rule of a pipeline, as written: its first argument. */
function rateOf(by: string): string | undefined {
  const last = by.split('|>').pop()?.trim() ?? '';
  const named = /\blr\s*:\s*([^,)]+)/.exec(last);
  if (named) return named[1].trim();
  const first = /^\w+\s*\(\s*([^,():]+)\s*[,)]/.exec(last);
  return first?.[1].trim();
}
