/**
 * `checkpoint keep f { e }`: the results of the calls of f inside are kept, and where f has a gradient clause, the lets that the clause reads too. They are
 * marked with the number of the checkpoint; the derivative rule of its loop saves what is marked (ops/kept.ts).
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { isKept } from '../ops/kept.ts';
import { regionsOf } from '../ops/region.ts';
import type { Node, Region } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import { mapNodes } from './convert.ts';
import type { Binding, Frame } from './scope.ts';
import { kindText, type Template, type Value } from './values.ts';

type Kept = ast.FnDecl | ast.LayerDecl;

/** A checkpoint whose body is elaborated. */
export interface Keeping {
  readonly id: number;
  readonly of: ReadonlySet<unknown>;
  /** Those that were called. */
  readonly called: Set<unknown>;
}

/** Evaluates the body of a checkpoint that keeps `names`. Errors: OPT304 where a name is no fn or layer, OPT414 where one is not called inside. */
export function keeping<T>(e: Elaboration, names: readonly ast.Name[], frame: Frame, body: () => T): T {
  const before = e.keeping;
  const decls = names.map((name) => keptDecl(e, name, frame));
  const own: Keeping = { id: e.nextKeep++, of: new Set(decls), called: new Set() };
  e.keeping = decls.length > 0 ? own : undefined;
  try {
    const value = body();
    decls.forEach((decl, k) => {
      if (own.called.has(decl)) return;
      fail('OPT414', names[k].span, `${names[k].text} is not called in this checkpoint: nothing of it is kept`, {
        labels: [{ span: decl.name.span, text: 'declared here' }],
        hint: 'leave it off, or call it inside',
      });
    });
    return value;
  } finally {
    e.keeping = before;
  }
}

function keptDecl(e: Elaboration, name: ast.Name, frame: Frame): Kept {
  const binding = frame.scope.find(name.text);
  const decl = binding && declOf(e, binding, name);
  if (decl?.kind === 'fn' || decl?.kind === 'layer') return decl;
  const what = binding?.kind === 'value' ? kindText(binding.value) : 'something else';
  fail('OPT304', name.span, `a checkpoint keeps the results of a fn or a layer, but ${name.text} is ${what}`, {
    hint: 'make a fn of what is to be kept, and call it inside',
  });
}

function declOf(e: Elaboration, binding: Binding, name: ast.Name): Template['decl'] | undefined {
  if (binding.kind === 'named') return binding.decl;
  const value = binding.kind === 'value' ? e.do.binding(e, binding, name.text, name.span) : undefined;
  return value?.kind === 'template' ? value.decl : undefined;
}

/** Whether the checkpoint around keeps what this gives. */
export function keeps(e: Elaboration, decl: unknown): boolean {
  return e.keeping?.of.has(decl) === true;
}

/** The value of a call of `decl`, marked where the checkpoint around keeps it. */
export function kept(e: Elaboration, decl: ast.FnDecl | ast.LayerDecl | ast.ModelDecl, value: Value): Value {
  if (!e.keeping || !keeps(e, decl)) return value;
  e.keeping.called.add(decl);
  return marked(e, decl.name, value);
}

/** Marks every leaf of a value. */
export function marked(e: Elaboration, { text, span }: ast.Name, value: Value): Value {
  const keep = e.keeping?.id;
  if (keep === undefined) return value;
  return mapNodes(e, value, span, (node) => e.make('name', [node], { name: text, keep }));
}

/** Elaborates text whose calls are not kept: it has no value until a derivative is asked. */
export function unkept<T>(e: Elaboration, body: () => T): T {
  const before = e.keeping;
  e.keeping = undefined;
  try {
    return body();
  } finally {
    e.keeping = before;
  }
}

/** Refuses marks inside of loops and branches of a checkpoint's body: what is kept there would have to leave them. */
export function refuseInside(e: Elaboration, region: Region, id: number): void {
  const seen = new Set<Node>();
  const stack = region.results.map((node): readonly [Node, boolean] => [node, false]);
  while (stack.length > 0) {
    const [node, inside] = stack.pop() as readonly [Node, boolean];
    if (seen.has(node)) continue;
    seen.add(node);
    if (inside && isKept(node) && node.attrs.keep === id)
      e.notYet(
        `'checkpoint keep ${String(node.attrs.name)}' of calls inside a loop or a choice`,
        node.span as NonNullable<typeof node.span>,
        'put a checkpoint with keep into the body of the loop',
      );
    const within = inside || node.type.parts !== undefined;
    node.inputs.forEach((input) => stack.push([input, inside]));
    regionsOf(node).forEach(({ results }) => results.forEach((result) => stack.push([result, within])));
  }
}
