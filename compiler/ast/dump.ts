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

/** Fields whose text stands right behind the kind. */
const titles = ['word', 'name', 'op', 'callee', 'dtype', 'dist', 'sense', 'paramKind'];
const hidden = new Set(['kind', 'span', 'opSpan', 'doc', 'file', 'comments', 'site']);

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
  if (label === 'arg') return argument(value, depth, lines);
  const isTitle = (key: string) => titles.includes(key) && word(value[key]) !== undefined;
  const fields = Object.entries(value).filter(
    ([key, child]) => !hidden.has(key) && !isTitle(key) && child !== undefined && child !== false,
  );
  const flags = fields.filter(([, child]) => child === true).map(([key]) => key);
  const children = fields.filter(([, child]) => child !== true && !(Array.isArray(child) && child.length === 0));
  const heads = [
    value.kind,
    ...titles.map((key) => (key === 'paramKind' && value[key] === 'value' ? undefined : word(value[key]))),
    ...flags,
  ];
  const head = heads.filter((text) => text !== undefined).join(' ');
  // a node all of whose children are words takes one line
  const inline = children.map(([key, child]) => [key, wordsOf(child)] as const);
  if (inline.every(([, text]) => text !== undefined)) {
    lines.push(
      `${indent}${prefix}${[head, ...inline.map(([key, text]) => `${key}=${text}`)].filter((text) => text !== '').join(' ')}`,
    );
    return;
  }
  lines.push(`${indent}${label === '' ? head : head === '' ? label : `${prefix}${head}`}`);
  for (const [key, child] of children) {
    if (!Array.isArray(child)) node(child, key, depth + 1, lines);
    else if (wordsOf(child) !== undefined) lines.push(`${indent}  ${key}: ${wordsOf(child)}`);
    else for (const item of child) node(item, key === 'statements' ? '' : singular(key), depth + 1, lines);
  }
}

/** An argument is its value, under its name where it has one. */
function argument(value: Record<string, unknown>, depth: number, lines: string[]): void {
  node(value.value, value.name === undefined ? 'argument' : `argument ${word(value.name)}`, depth, lines);
}

/** A word, or a list of words. */
function wordsOf(value: unknown): string | undefined {
  if (!Array.isArray(value)) return word(value);
  const words = value.map(word);
  return words.every((text) => text !== undefined) ? `[${words.join(' ')}]` : undefined;
}

function singular(key: string): string {
  return key.endsWith('s') && key !== 'args' ? key.slice(0, -1) : key === 'args' ? 'arg' : key;
}
