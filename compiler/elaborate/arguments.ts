/**
 * Arguments of templates: one parameter system for fn, layer, model, trial, rule and the other words. Positions fill the open
 * parameters in order, names fill theirs; what is left may be given later (partial application) or has a default.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { named } from './naming.ts';
import { modelTree, toDim } from './convert.ts';
import type { Frame, Scope } from './scope.ts';
import { exact, kindText, type Template, type Value } from './values.ts';
import { annotate } from './types.ts';

export interface Given {
  readonly value: Value;
  readonly span: Span;
}

/** Words whose scalar arguments are by name: evaluated at each use, in the phase that applies them. */
const BY_NAME = new Set(['rule', 'estimator', 'aggregator', 'solver']);

export function parametersOf(t: Template): readonly ast.Param[] {
  return t.decl.params ?? [];
}

/** Parameters that are still to be given before the template can be evaluated. */
export function openParameters(t: Template): readonly ast.Param[] {
  return parametersOf(t).filter((p) => !p.default && !t.bound.has(p.name.text));
}

/** The template with these arguments added; errors for unknown, repeated and surplus ones. */
export function giveArguments(e: Elaboration, t: Template, args: readonly ast.Arg[], frame: Frame): Template {
  const bound = new Map(t.bound);
  const spans = new Map(t.spans);
  const open = parametersOf(t).filter((p) => !bound.has(p.name.text));
  const given = new Map<string, ast.Arg>();
  const named = new Set(args.flatMap((a) => (a.name ? [a.name.text] : [])));
  const positional = open.filter((p) => !named.has(p.name.text));
  let next = 0;
  const name = t.decl.name.text;
  for (const arg of args) {
    const param = arg.name ? open.find((p) => p.name.text === arg.name?.text) : positional[next++];
    if (!param) {
      if (arg.name) {
        fail('OPT311', arg.name.span, `${name} has no open parameter '${arg.name.text}'`, {
          labels: [{ span: t.decl.name.span, text: `${name} is declared here` }],
          hint:
            didYouMean(
              arg.name.text,
              open.map((p) => p.name.text),
            ) ?? `its parameters are ${open.map((p) => p.name.text).join(', ') || 'none'}`,
        });
      }
      fail(
        'OPT311',
        arg.span,
        `${name} takes ${open.length} ${open.length === 1 ? 'argument' : 'arguments'}, but ${args.length} are given`,
        {
          labels: [{ span: t.decl.name.span, text: `${name} is declared here` }],
          hint: 'remove the surplus arguments',
        },
      );
    }
    if (given.has(param.name.text))
      fail('OPT311', arg.span, `${param.name.text} is given twice`, { hint: 'keep one of them' });
    given.set(param.name.text, arg);
    bound.set(param.name.text, argument(e, t, param, arg.value, frame));
    spans.set(param.name.text, arg.value.span);
  }
  return { ...t, bound, spans };
}

/** Value of one argument, as the parameter's kind wants it. */
function argument(e: Elaboration, t: Template, param: ast.Param, expr: ast.Expr, frame: Frame): Value {
  const what = `parameter ${param.name.text} of ${t.decl.name.text}`;
  const labels = [{ span: param.span, text: 'declared here' }];
  const wrong = (value: Value, wanted: string): never =>
    fail('OPT311', expr.span, `${what} is ${wanted}, not ${kindText(value)}`, { labels, hint: `give ${wanted}` });
  if (param.paramKind === 'objective' || param.paramKind === 'cells') return byName(e, expr, frame);
  if (param.paramKind === 'value' && !param.type && BY_NAME.has(t.decl.kind)) return byName(e, expr, frame);
  if (
    param.paramKind === 'rule' ||
    param.paramKind === 'estimator' ||
    param.paramKind === 'aggregator' ||
    param.paramKind === 'solver'
  ) {
    const value = e.do.expression(e, expr, frame);
    const first = value.kind === 'pipeline' ? value.alternatives[0][0] : value;
    return first.kind === 'template' && first.decl.kind === param.paramKind ? value : wrong(value, article(param));
  }
  const byRun = param.paramKind === 'model' || (param.paramKind === 'value' && t.decl.kind === 'trial');
  if (byRun && isOfRuns(e, expr, frame)) return { kind: 'thunk', expr, frame };
  const value = e.do.expression(e, expr, frame);
  switch (param.paramKind) {
    case 'dim':
      return exact(toDim(e, value, expr.span, what), true);
    case 'data':
      return value.kind === 'dataset' ? value : wrong(value, 'a data set');
    case 'fn':
      return (value.kind === 'template' && value.decl.kind === 'fn') ||
        value.kind === 'builtin' ||
        value.kind === 'linearMap' ||
        value.kind === 'model'
        ? value
        : wrong(value, 'a fn');
    case 'layer':
      return value.kind === 'template' && value.decl.kind === 'layer' ? value : wrong(value, 'a layer');
    case 'model':
      return value.kind === 'model' ? value : wrong(value, 'a model');
    case 'value':
      if (value.kind === 'model') return modelTree(e, value.instance, expr.span);
      // An untyped parameter is f32: whole numbers given to it are no longer integers where nothing else decides.
      return value.kind === 'exact' && !param.type ? exact(value.value, false) : value;
    case 'set':
      if (value.kind === 'setProduct') return value.sets.length === 1 && value.sets[0] ? value.sets[0] : value;
      return value.kind === 'template' && value.decl.kind === 'set' ? value : wrong(value, 'a set');
    case 'axis':
      return value.kind === 'axis' ? value : wrong(value, 'an axis');
    case 'problem':
      return value.kind === 'problem' || (value.kind === 'template' && value.decl.kind === 'problem')
        ? value
        : wrong(value, 'a problem');
  }
}

const article = ({ paramKind }: ast.Param): string => `${/^[aeiou]/.test(paramKind) ? 'an' : 'a'} ${paramKind}`;

/** Whether a name is that of a model or variable which each run has for itself, and no run is at hand: the run that is given it knows which one it is. */
function isOfRuns(e: Elaboration, expr: ast.Expr, frame: Frame): boolean {
  const binding = expr.kind === 'name' ? frame.scope.find(expr.name) : undefined;
  if (binding?.kind !== 'declared' || binding.frame.body !== 'file' || !e.hasRuns || e.run !== e.fileRun) return false;
  // Hypers and frozen values are those of the file.
  return binding.decl.kind === 'cell' ? binding.decl.word !== 'frozen' : binding.decl.kind !== 'hyper';
}

/** An argument of a trial that names a model or variable of the file, in the run that it was given to. */
export function argumentOfRun(
  e: Elaboration,
  t: Template,
  param: ast.Param,
  { expr, frame }: Extract<Value, { kind: 'thunk' }>,
  inner: Frame,
): Value {
  const value = argument(e, t, param, expr, frame);
  if (!param.type) return value;
  const what = `parameter ${param.name.text} of ${t.decl.name.text}`;
  return annotate(e, value, param.type, inner, expr.span, { what, declared: param.span });
}

/** The expression itself, with its frame; a name that stands for such an expression is passed on. */
function byName(e: Elaboration, expr: ast.Expr, frame: Frame): Value {
  if (expr.kind === 'name') {
    const binding = frame.scope.find(expr.name);
    if (binding?.kind === 'value' && binding.value.kind === 'thunk') return binding.value;
  }
  if (expr.kind === 'number') return exact(expr.value, false);
  return { kind: 'thunk', expr, frame };
}

/** Binds all parameters in `scope`, checking typed ones; `spans` are the places of the arguments for messages. */
export function bindParameters(e: Elaboration, t: Template, scope: Scope, frame: Frame, span: Span): void {
  const inner: Frame = { ...frame, scope };
  for (const param of parametersOf(t)) {
    const name = param.name.text;
    let value = t.bound.get(name);
    if (value === undefined) {
      if (!param.default) {
        fail('OPT311', span, `${t.decl.name.text} needs its parameter ${name}`, {
          labels: [{ span: param.span, text: 'declared here, without a default' }],
          hint: `add ${name}: …`,
        });
      }
      value = argument(e, t, param, param.default, { ...t.frame, scope });
    }
    if (param.type && value.kind !== 'thunk') {
      value = annotate(e, value, param.type, inner, t.spans?.get(name) ?? span, {
        what: `parameter ${name} of ${t.decl.name.text}`,
        declared: param.span,
      });
    }
    if (t.decl.kind === 'fn') value = named(e, name, value, t.spans?.get(name) ?? span, true);
    scope.set(name, { kind: 'value', value, home: hasNodes(value) ? e.entry : undefined, span: param.name.span });
  }
}

/** Whether a value contains nodes, which belong to the entry they were made in. */
export function hasNodes(value: Value): boolean {
  switch (value.kind) {
    case 'tensor':
    case 'tree':
      return true;
    case 'tuple':
      return value.items.some(hasNodes);
    case 'record':
      return [...value.fields.values()].some(hasNodes);
    case 'solution':
      return hasNodes(value.found);
    case 'over':
      return true;
    case 'range':
      return value.lo.kind === 'tensor';
    default:
      return false;
  }
}
