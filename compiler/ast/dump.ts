/** Prints a syntax tree as an indented outline, for `saddle explain --stage ast` and golden files: kinds, names and literals, no spans. */
import type { Expr, Module } from './nodes.ts';

const inlineKinds = new Set(['number', 'bool', 'string', 'name']);

/** Outline of a module, one node a line. */
export function dump(module: Module): string {
  const lines = ['module'];
  for (const stmt of module.statements) node(stmt, '', 1, lines);
  return `${lines.join('\n')}\n`;
}

function isNode(value: unknown): value is { kind?: string } & Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** A name, literal or plain reference as one word, or undefined for what needs lines of its own. */
function word(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (!isNode(value)) return undefined;
  if (typeof value.text === 'string' && value.kind === undefined) return value.text;
  if (value.kind !== undefined && inlineKinds.has(value.kind) && !value.parenthesized)
    return literal(value as unknown as Expr);
  if (['star', 'all', 'new', 'end'].includes(value.kind ?? '')) return `:${value.kind}`;
  if (value.kind === 'bind') return word(value.name);
  return undefined;
}

function literal(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return expr.text;
    case 'string':
      return JSON.stringify(expr.value);
    case 'name':
      return expr.name;
    default:
      return expr.kind === 'bool' ? String(expr.value) : expr.kind;
  }
}

/** Fields that say nothing where they have this value. */
const silent: Record<string, unknown> = {
  parenthesized: false,
  replacement: false,
  mayFail: false,
  restart: false,
  opaque: false,
  affine: false,
  closed: false,
  tree: false,
  braces: true,
  paramKind: 'value',
  shorthand: false,
};

/** One node with its children below it. `label` is the field of its parent that it fills. */
function node(value: unknown, label: string, depth: number, lines: string[]): void {
  const indent = '  '.repeat(depth);
  const prefix = label === '' ? '' : `${label}: `;
  const short = word(value);
  if (short !== undefined) {
    lines.push(`${indent}${prefix}${short}`);
    return;
  }
  if (!isNode(value)) return;
  const below: (readonly [string, unknown])[] = [];
  const heads: string[] = value.kind === undefined ? [] : [value.kind];
  for (const [key, child] of Object.entries(value)) {
    if (
      ['kind', 'span', 'opSpan', 'doc', 'file', 'comments'].includes(key) ||
      child === undefined ||
      child === silent[key]
    )
      continue;
    const text = word(child);
    if (text === undefined) below.push([key, child]);
    else if (key === 'name' || key === 'op' || key === 'word' || key === 'dtype' || key === 'dist') heads.push(text);
    else heads.push(`${key}=${text}`);
  }
  lines.push(`${indent}${prefix}${heads.join(' ') || '-'}`);
  for (const [key, child] of below) {
    if (!Array.isArray(child)) node(child, key, depth + 1, lines);
    else if (child.length > 0 && child.every((item) => word(item) !== undefined))
      lines.push(`${indent}  ${key}: ${child.map(word).join(' ')}`);
    else for (const item of child) node(item, key, depth + 1, lines);
  }
}
