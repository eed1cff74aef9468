/** From rows to specs: what the suites of this folder run. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '../../compiler/ast/parse.ts';
import type * as ast from '../../compiler/ast/nodes.ts';
import { Source } from '../../compiler/source/source.ts';
import { losses, metrics, schedules, sets } from './rows-functions.ts';
import { graph, linalg, ode } from './rows-linalg.ts';
import { inits, nn, rules } from './rows-nn.ts';
import type { Module, Row } from './rows.ts';

export const table: Readonly<Record<string, Module>> = {
  graph,
  inits,
  linalg,
  losses,
  metrics,
  nn,
  ode,
  rules,
  schedules,
  sets,
};

const folder = join(import.meta.dirname, '../../stdlib');

export interface Declared {
  readonly name: string;
  readonly kind: string;
  /** The comment lines right above, without slashes. */
  readonly doc: readonly string[];
  /** Its first line as written, up to the body. */
  readonly head: string;
}

/** Modules of stdlib/ by name. */
export const moduleNames: readonly string[] = readdirSync(folder)
  .filter((file) => file.endsWith('.opt'))
  .map((file) => file.slice(0, -'.opt'.length))
  .toSorted();

/** Comment lines at the top of a module. */
export function moduleDoc(module: string): string {
  const lines = text(module).split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return lines
    .slice(0, end)
    .filter((line) => !line.startsWith('//   '))
    .map((line) => line.slice(3))
    .join(' ');
}

/** What a module declares, in the order of the file. */
export function declared(module: string): readonly Declared[] {
  const content = text(module);
  const parsed = parse(new Source(`${module}.opt`, content));
  if (!parsed.ok) throw new Error(`stdlib/${module}.opt does not parse`);
  return parsed.value.statements.flatMap((item) => {
    const named = item as ast.Stmt & { readonly name?: ast.Name };
    if (item.kind === 'use' || !named.name) return [];
    const before = content.slice(0, item.span.start).trimEnd().split('\n');
    const from = before.findLastIndex((line) => !line.startsWith('//')) + 1;
    const gap = /\n\s*\n\s*$/.test(content.slice(0, item.span.start));
    return [
      {
        name: named.name.text,
        kind: content.slice(item.span.start).split(' ')[0],
        doc: gap ? [] : before.slice(from).map((line) => line.slice(3)),
        head: headOf(content.slice(item.span.start)),
      },
    ];
  });
}

function text(module: string): string {
  return readFileSync(join(folder, `${module}.opt`), 'utf8');
}

/** `fn f(x, y = 1) -> f32[n]` of a declaration: up to the `=` or `{` of its body. */
function headOf(declaration: string): string {
  let depth = 0;
  for (let i = 0; i < declaration.length; i++) {
    const c = declaration[i];
    if ('([{'.includes(c)) {
      if (c === '{' && depth === 0) return declaration.slice(0, i).trim();
      depth++;
    } else if (')]}'.includes(c)) depth--;
    else if (depth === 0 && (c === '=' || c === '\n')) return declaration.slice(0, i).trim();
  }
  return declaration.trim();
}

export interface Input {
  readonly name: string;
  readonly type: string;
  readonly draw: string;
  /** Whether derivatives by it are asked for. */
  readonly float: boolean;
}

/** `x: N C in 0.1..2; y: N int C` as cells and their draws; `front` are dims before the others. */
export function inputsOf(row: Row, front = ''): readonly Input[] {
  return (row.inputs ?? '')
    .split(';')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const [name, rest] = part.split(':').map((s) => s.trim());
      const [, dims, kind] = /^(.*?)\s*(in .*|int .*|sign)?$/.exec(rest) as RegExpExecArray;
      const shape = [front, ...(dims.match(/\([^)]*\)|\S+/g) ?? [])].filter((d) => d !== '').join(', ');
      if (kind?.startsWith('int'))
        return { name, type: `i32[${shape}]`, draw: `integers(0, ${kind.slice(4)})`, float: false };
      if (kind === 'sign') return { name, type: `f32[${shape}]`, draw: 'rademacher', float: false };
      const [lo, hi] = kind ? kind.slice(3).split('..') : ['-2', '2'];
      return { name, type: `f32[${shape}]`, draw: `uniform(${lo}, ${hi})`, float: true };
    });
}

/** `use` lines of several modules, each name once. */
export function uses(wanted: readonly (readonly [string, string])[]): string {
  const by = new Map<string, Set<string>>();
  for (const [module, name] of wanted) by.set(module, (by.get(module) ?? new Set()).add(name));
  by.delete('inits');
  return [...by].map(([module, names]) => `use ${module} { ${[...names].join(', ')} }`).join('\n');
}

/** The names of the library that a row uses. */
export function usesOf(module: string, name: string, row: Row): (readonly [string, string])[] {
  return [[module, name], ...Object.entries(row.use ?? {})];
}

/** sum of the leaves times cosines: a number that tells results apart. */
export const WEIGH = `fn weigh(t) {
  let v = flat(t)
  sum(v * cos(1.3 * f32(0..len(v)) + 0.4))
}`;

/** The row's fn `fK` of its inputs, with its setup; the model of the setup is `MK`. */
export function functionOf(row: Row, k: number): string {
  const own = (s: string) =>
    s
      .replace(/\b(M|W)\b/g, `$1${k}`)
      .replace(/\bfield\b/g, `field${k}`)
      .replace(/\bchi2\b/g, `chi2_${k}`);
  const names = inputsOf(row).map((i) => i.name);
  const head = names.length > 0 ? `fn f${k}(${names.join(', ')})` : `fn f${k}`;
  return `${row.setup ? `${own(row.setup)}\n` : ''}${head} = ${own(row.call ?? '')}`;
}
