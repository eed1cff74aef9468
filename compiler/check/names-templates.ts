/** Calls and templates: what is called, with which arguments, and whether each place (`by`, `with`, `solve … by`, `run`) gets its kind. */
import type * as ast from '../ast/nodes.ts';
import type { Span } from '../source/source.ts';
import { type Builtin, builtinValues } from './builtins.ts';
import { checkArguments, checkBuiltinArguments } from './names-calls.ts';
import { article, NameLookup } from './names-lookup.ts';
import type { Place } from './names-lookup.ts';
import type { Entry, EntryKind, Scope } from './names-scope.ts';

/** Kinds that a place of a template accepts; parameters and imports from unknown modules are always accepted. */
type Wanted = 'rule' | 'estimator' | 'solver' | 'trial' | 'layer';

const accepted: Record<Wanted, readonly EntryKind[]> = {
  rule: ['rule'],
  estimator: ['estimator', 'aggregator'],
  solver: ['solver'],
  trial: ['trial'],
  layer: ['layer', 'model'],
};
const wantedText: Record<Wanted, string> = {
  rule: "'by' takes a rule",
  estimator: "'with' takes an estimator or aggregator",
  solver: "'solve … by' takes a solver",
  trial: "'run' starts a trial, or 'solve P by S'",
  layer: 'a model is an instance of a layer',
};
/** Kinds that can stand for anything: what they are is known only when they are given. */
const open: readonly EntryKind[] = ['param', 'let', 'unknown', 'bound'];

/** Kinds without a value of their own. */
const valueless: readonly EntryKind[] = [
  'rule',
  'estimator',
  'aggregator',
  'solver',
  'class',
  'set',
  'trial',
  'layer',
  'problem',
  'phase',
];
const uncallable: readonly EntryKind[] = [
  'dim',
  'hyper',
  'axis',
  'cell',
  'frozen',
  'data',
  'batch',
  'sample',
  'metric',
  'report',
  'run',
  'objective',
  'variable',
  'phase',
  'constraint',
  'player',
];

/** Builtins of claims that measure the compiled program. */
const facts: readonly string[] = ['peak_bytes', 'bytes', 'calls'];

export abstract class TemplateNames extends NameLookup {
  abstract expression(expr: ast.Expr, scope: Scope, place: Place): void;

  /** An operand: a template here is an error. */
  protected value(expr: ast.Expr, scope: Scope, place: Place): void {
    const root = expr.kind === 'call' ? expr.callee : expr;
    if (root.kind === 'name') {
      const entry = scope.find(root.name, root.span.start).entry;
      const layerCall = entry?.kind === 'layer' && expr.kind === 'call'; // has a message of its own
      if (entry && valueless.includes(entry.kind) && !layerCall) {
        this.usedImports.add(root.name);
        this.report('OPT215', root.span, `'${root.name}' is ${article(entry.kind)} and has no value`, {
          labels: this.declaredAt(entry),
          hint: hintFor(entry),
        });
        return;
      }
    }
    this.expression(expr, scope, place);
  }

  /** A call; `given` where it is itself an argument or default, so that a layer or problem may be partially applied. */
  call(expr: ast.Call, scope: Scope, place: Place, given: boolean): void {
    const { callee } = expr;
    const fact = callee.kind === 'name' && facts.includes(callee.name) ? builtinValues.get(callee.name) : undefined;
    if (callee.kind === 'name' && fact && !scope.find(callee.name, callee.span.start).entry) {
      this.fact(expr, fact, callee.span, scope, place);
      return;
    }
    this.args(expr.args, scope, place);
    if (callee.kind === 'number') {
      this.report('OPT212', callee.span, 'a number is not callable', { hint: "write '*' for a product" });
      return;
    }
    if (callee.kind !== 'name') {
      this.expression(callee, scope, place);
      return;
    }
    const found = this.resolve(callee.name, callee.span, scope, place);
    // Series are no functions: `metric norm = norm(x)` calls the one that is.
    const series = found?.kind === 'metric' || found?.kind === 'report';
    const entry = series && builtinValues.has(callee.name) ? undefined : found;
    if (!entry) {
      const builtin = builtinValues.get(callee.name);
      if (!builtin) return;
      if (builtin.kind === 'constant')
        this.report('OPT212', callee.span, `'${callee.name}' is a number and not callable`, {
          hint: "write '*' for a product",
        });
      else this.diagnostics.push(...checkBuiltinArguments(expr.args, builtin, callee.span));
      return;
    }
    if (uncallable.includes(entry.kind)) {
      this.report('OPT212', callee.span, `'${callee.name}' is ${article(entry.kind)} and not callable`, {
        labels: this.declaredAt(entry),
        hint:
          entry.kind === 'data'
            ? `write '${callee.name}[64]' for a batch, '${callee.name}.x' for a field`
            : "write '*' for a product, '[i]' for an element",
      });
      return;
    }
    if (entry.kind === 'layer' && !place.layered && !given) {
      const instance = callee.name.charAt(0).toUpperCase() + callee.name.slice(1);
      this.report('OPT214', callee.span, `the layer '${callee.name}' is called outside a layer or model`, {
        labels: this.declaredAt(entry),
        hint: `make an instance first: 'model ${instance} = ${callee.name}', then call '${instance}(…)'`,
      });
    }
    if (entry.kind === 'trial' && !given)
      this.report('OPT213', callee.span, `the trial '${callee.name}' is no function`, {
        labels: this.declaredAt(entry),
        hint: `write 'run r = ${callee.name}(…)'`,
      });
    if (entry.params)
      this.diagnostics.push(...checkArguments(expr.args, entry.params, this.calleeOf(entry, callee.span), false));
  }

  private calleeOf(entry: Entry, span: Span) {
    return { name: entry.name, span, ...(entry.span.file === span.file ? { declared: entry.span } : {}) };
  }

  /** Arguments are evaluated where they are used, so `step` may be read in them, and templates may be given. */
  args(args: readonly ast.Arg[], scope: Scope, place: Place): void {
    for (const arg of args) this.given(arg.value, scope, { ...place, stepped: true });
  }

  /** An expression that is handed on: an argument or a default. */
  protected given(expr: ast.Expr, scope: Scope, place: Place): void {
    if (expr.kind === 'call') this.call(expr, scope, place, true);
    else this.expression(expr, scope, place);
  }

  /** `peak_bytes(a.step)`, `calls(a.train, f)`: parts of runs and fns of trials, which the elaborator knows, are named in their own way. */
  private fact(expr: ast.Call, fact: Builtin, span: Span, scope: Scope, place: Place): void {
    this.diagnostics.push(...checkBuiltinArguments(expr.args, fact, span));
    for (const { value } of expr.args)
      if (value.kind !== 'name' || scope.find(value.name, value.span.start).entry) this.expression(value, scope, place);
  }

  /** A pipeline of templates; `wanted` undefined: of whatever kind its parameter takes. */
  protected pipeline(pipeline: ast.Pipeline, wanted: Wanted | undefined, scope: Scope, place: Place): void {
    for (const stage of pipeline.stages) {
      if (wanted) this.template(stage, wanted, scope, { ...place, stepped: true });
      else this.given(stage, scope, place);
    }
    if (pipeline.otherwise) this.pipeline(pipeline.otherwise, wanted, scope, place);
  }

  /** A template where one kind is wanted: `adam(1e-3)` after `by`, a layer after `model M =`. */
  protected template(expr: ast.Expr, wanted: Wanted, scope: Scope, place: Place, also: readonly string[] = []): void {
    const root = expr.kind === 'call' ? expr.callee : expr;
    if (root.kind !== 'name') {
      this.given(expr, scope, place);
      return;
    }
    if (expr.kind === 'call') this.args(expr.args, scope, place);
    const entry = this.resolve(root.name, root.span, scope, place);
    if (!entry) {
      const builtin = builtinValues.get(root.name);
      if (builtin && !(builtin.kind === 'estimator' && wanted === 'estimator'))
        this.report('OPT213', root.span, `'${root.name}' is a builtin ${builtin.kind}; ${wantedText[wanted]}`, {
          hint: examples[wanted],
        });
      return;
    }
    if (!open.includes(entry.kind) && !accepted[wanted].includes(entry.kind)) {
      this.report('OPT213', root.span, `'${root.name}' is ${article(entry.kind)}; ${wantedText[wanted]}`, {
        labels: this.declaredAt(entry),
        hint: wrongKind(entry, wanted),
      });
      return;
    }
    const complete = wanted !== 'layer';
    if (entry.params && (expr.kind === 'call' || complete))
      this.diagnostics.push(
        ...checkArguments(
          expr.kind === 'call' ? expr.args : [],
          entry.params,
          this.calleeOf(entry, root.span),
          complete,
          also,
        ),
      );
  }

  solve(expr: ast.SolveExpr, scope: Scope, place: Place): void {
    const stepped: Place = { ...place, stepped: true };
    if (expr.problem.kind === 'call') this.call(expr.problem, scope, place, true);
    else this.expression(expr.problem, scope, place);
    if (expr.solver) this.pipeline(expr.solver, 'solver', scope, stepped);
    if (expr.steps) this.expression(expr.steps, scope, place);
    if (expr.until) this.expression(expr.until, scope, stepped);
  }
}

const examples: Record<Wanted, string> = {
  rule: "write 'by adam(1e-3)', with 'use rules { adam }'",
  estimator: "write 'with spsa(1e-3)', with 'use estimators { spsa }'",
  solver: "write 'solve p by descent(adam(1e-2)) for 100': a solver is given its rule",
  trial: "write 'run r = fit(1)' for a trial 'fit'",
  layer: "write 'model M = linear(o: 3)', with 'use nn { linear }'",
};

function wrongKind(entry: Entry, wanted: Wanted): string {
  if (wanted === 'rule' && (entry.kind === 'estimator' || entry.kind === 'aggregator'))
    return `put it after 'with': '… minimizing L with ${entry.name}(…)'`;
  if (wanted === 'estimator' && entry.kind === 'rule')
    return `put it after 'by': 'update P by ${entry.name}(…) minimizing L'`;
  if (wanted === 'layer' && entry.kind === 'fn') return `declare it as a layer: 'layer ${entry.name}(…) { … }'`;
  return examples[wanted];
}

function hintFor(entry: Entry): string {
  switch (entry.kind) {
    case 'rule':
      return `use it in 'update P by ${entry.name}(…) minimizing L'`;
    case 'estimator':
    case 'aggregator':
      return `use it in 'grad(L, P) with ${entry.name}(…)' or 'update … minimizing L with ${entry.name}(…)'`;
    case 'solver':
      return `use it in 'solve P by ${entry.name}(…)'`;
    case 'layer':
      return `make an instance: 'model M = ${entry.name}', and call that`;
    case 'trial':
      return `start it: 'run r = ${entry.name}(…)'`;
    case 'set':
      return `project onto it with '${entry.name}(…).project(x)'`;
    case 'problem':
      return `read its parts: '${entry.name}.x', '${entry.name}.objective'`;
    default:
      return 'give it to a parameter of its kind';
  }
}
