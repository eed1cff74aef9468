/** `use`: declarations of another file become visible under their names. Each file is elaborated once; it may declare templates, dims and values known at compile time. */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import { builtinNames } from './calls.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { type Frame, noLoop, Scope } from './scope.ts';
import type { Template } from './values.ts';

const DECLARATIONS = new Set([
  'use',
  'dim',
  'fn',
  'layer',
  'rule',
  'estimator',
  'aggregator',
  'solver',
  'class',
  'set',
  'trial',
  'let',
  'model',
  'modelInstance',
  'hyper',
  'problem',
]);
const MAX_DEPTH = 32;

export function importNames(e: Elaboration, use: ast.UseDecl, into: Scope): void {
  const name = 'kind' in use.module ? use.module.value : use.module.text;
  const scope = moduleScope(e, name, use);
  for (const { name: item, as } of use.names) {
    const binding = scope.names.get(item.text);
    if (binding) into.set((as ?? item).text, binding);
    else if (builtinNames.includes(item.text))
      into.set((as ?? item).text, { kind: 'value', value: { kind: 'builtin', name: item.text }, span: item.span });
    else
      fail('OPT304', item.span, `${name} declares nothing called '${item.text}'`, {
        hint: didYouMean(item.text, scope.names.keys()) ?? `it declares ${[...scope.names.keys()].join(', ')}`,
      });
  }
}

function moduleScope(e: Elaboration, name: string, use: ast.UseDecl): Scope {
  const module = e.options.readImport(name, use.span.file);
  if (!module)
    fail('OPT304', use.module.span, `there is no module '${name}'`, {
      hint: 'modules of the library are the files of stdlib, such as nn and rules; files of your own are written "./mine.opt"',
    });
  return scopeOf(e, module, use.span);
}

/** Names of a module of the library that needs no `use`; undefined where the library is not there. */
export function libraryScope(e: Elaboration, name: string, from: Span): Scope | undefined {
  const module = e.options.readImport(name, from.file);
  return module && scopeOf(e, module, from);
}

/** Library module whose estimators need no `use`. */
const ESTIMATORS = 'estimators';

/** An estimator of the library by its name; undefined where it has none of this name. */
export function libraryEstimator(e: Elaboration, name: string, span: Span): Template | undefined {
  const binding = libraryScope(e, ESTIMATORS, span)?.names.get(name);
  const value = binding?.kind === 'value' ? binding.value : undefined;
  return value?.kind === 'template' && value.decl.kind === 'estimator' ? value : undefined;
}

/** Declarations of a file, elaborated once. */
function scopeOf(e: Elaboration, module: ast.Module, from: Span): Scope {
  const known = e.modules.get(module.file);
  if (known) return known;
  if (e.importDepth >= MAX_DEPTH)
    fail('OPT218', from, `imports nest deeper than ${MAX_DEPTH} files`, {
      hint: 'files may not use each other in a circle',
    });
  const scope = new Scope();
  e.modules.set(module.file, scope);
  const frame: Frame = { scope, body: 'file', path: [], indices: [], execution: noLoop, depth: 0 };
  e.importDepth++;
  for (const stmt of module.statements) if (DECLARATIONS.has(stmt.kind)) e.do.statement(e, stmt, frame);
  e.importDepth--;
  return scope;
}
