/**
 * Names in expressions: every name is looked up in its namespace (values; distributions after `~`; sets after `in`), calls are checked
 * against what they call, and each place that takes a kind of template (`by`, `with`, `solve … by`) gets that kind.
 */
import type * as ast from '../ast/nodes.ts';
import type { DiagnosticCode } from '../diagnostics/catalog.ts';
import { error } from '../diagnostics/diagnostic.ts';
import type { Diagnostic, DiagnosticParts } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Span } from '../source/source.ts';
import { builtinDistributions, builtinValues } from './builtins.ts';
import { checkArguments, checkBuiltinArguments } from './names-calls.ts';
import { patternNames, Scope } from './names-scope.ts';
import type { Entry, EntryKind } from './names-scope.ts';

/** What the text around an expression is, as far as names depend on it. */
export interface Place {
  /** `step` and `progress` may be read. */
  readonly stepped: boolean;
  /** `k` may be read. */
  readonly counted: boolean;
  /** In the body of a layer or model. */
  readonly layered: boolean;
}

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

export function article(kind: EntryKind): string {
  const words: Partial<Record<EntryKind, string>> = {
    let: 'a value',
    sample: 'a draw',
    bound: 'a value',
    param: 'a parameter',
    dim: 'a dim',
    hyper: 'a hyper',
    axis: 'an axis',
    estimator: 'an estimator',
    aggregator: 'an aggregator',
    objective: 'an objective',
    frozen: 'a frozen value',
    data: 'a data set',
    fn: 'a function',
    variable: 'a variable',
    phase: 'a phase',
    batch: 'a batch',
  };
  return words[kind] ?? `a ${kind}`;
}

export abstract class ExpressionNames {
  readonly diagnostics: Diagnostic[] = [];
  /** Names of `use` that were found in use. */
  protected readonly usedImports = new Set<string>();

  abstract body(body: ast.Body, scope: Scope, place: Place): Scope;

  protected report(code: DiagnosticCode, span: Span, message: string, parts: DiagnosticParts = {}): void {
    this.diagnostics.push(error(code, span, message, parts));
  }

  // ---------------------------------------------------------------- look-up

  /** The declaration that a name means, or undefined for builtins and after an error. */
  protected resolve(name: string, span: Span, scope: Scope, place: Place): Entry | undefined {
    const { entry, later } = scope.find(name, span.start);
    if (entry) {
      if (entry.from === -1) this.usedImports.add(name);
      return entry;
    }
    const builtin = builtinValues.get(name);
    if (builtin) {
      const readable = name === 'k' ? place.counted : name === 'step' || name === 'progress' ? place.stepped : true;
      if (!readable && later) this.usedTooEarly(name, span, later);
      else if (!readable && name === 'k') this.unknown(name, span, scope);
      else if (!readable)
        this.report('OPT222', span, `'${name}' is read outside 'train', 'solve' and what they call`, {
          hint: `read it in a 'train' body, or in a 'hyper': 'hyper lr = 0.1 * (1 - progress)'`,
        });
      return undefined;
    }
    if (later) this.usedTooEarly(name, span, later);
    else this.unknown(name, span, scope);
    return undefined;
  }

  private usedTooEarly(name: string, span: Span, later: Entry): void {
    this.report('OPT207', span, `'${name}' is used before it is defined`, {
      labels: [{ span: later.span, text: 'defined here' }],
      hint: 'statements run in textual order: move the definition up',
    });
  }

  private unknown(name: string, span: Span, scope: Scope): void {
    const greek: Record<string, string> = { '\u03c0': 'pi', '\u03a3': 'sum' };
    const builtins = [...builtinValues.keys()].filter((b) => b !== 'k' && b !== 'none');
    const familiar: Record<string, string> = {
      np: 'functions such as exp and mean need no prefix',
      torch: 'functions such as exp and mean need no prefix',
      math: 'functions such as exp and sin need no prefix',
      True: "write 'true'",
      False: "write 'false'",
      None: 'there is no empty value',
      self: 'parameters of a layer are named without a prefix',
      ln: "write 'log'",
      matmul: "write 'a @ b'",
      power: "write 'a^b'",
      pow: "write 'a^b'",
      range: "write 'a..b'",
      print: "write 'report x' or 'metric m = x'",
      detach: "write 'stop(x)'",
      concatenate: "write 'concat(a, b)'",
      maximum: "write 'max(a, b)'",
      minimum: "write 'min(a, b)'",
    };
    const hint =
      familiar[name] ?? (greek[name] ? `write '${greek[name]}'` : didYouMean(name, [...scope.visible(), ...builtins]));
    this.report('OPT201', span, `unknown name '${name}'`, {
      hint: hint ?? "declare it, or take it from a module with 'use'",
    });
  }

  // ---------------------------------------------------------------- expressions

  expressions(list: readonly ast.Expr[], scope: Scope, place: Place): void {
    for (const expr of list) this.expression(expr, scope, place);
  }

  expression(expr: ast.Expr, scope: Scope, place: Place): void {
    switch (expr.kind) {
      case 'number':
      case 'bool':
      case 'string':
        return;
      case 'name':
        this.resolve(expr.name, expr.span, scope, place);
        return;
      case 'member':
        this.expression(expr.object, scope, place);
        return;
      case 'index':
        this.expression(expr.object, scope, place);
        for (const item of expr.items) {
          if (item.kind === 'at') this.value(item.expr, scope, place);
          else if (item.kind === 'capped') this.expressions([item.count, item.max], scope, place);
        }
        return;
      case 'call':
        this.call(expr, scope, place, false);
        return;
      case 'unary':
        this.value(expr.operand, scope, place);
        return;
      case 'binary':
        this.value(expr.left, scope, place);
        this.value(expr.right, scope, place);
        if (expr.within) this.value(expr.within, scope, place);
        return;
      case 'range':
        this.value(expr.lo, scope, place);
        this.value(expr.hi, scope, place);
        return;
      case 'tuple':
      case 'array':
      case 'bracelist':
        this.expressions(expr.items, scope, place);
        return;
      case 'record':
        for (const field of expr.fields) this.expression(field.value, scope, place);
        return;
      case 'at':
        this.expression(expr.expr, scope, place);
        for (const { target, value } of expr.bindings) this.expressions([target, value], scope, place);
        if (expr.step) this.expression(expr.step, scope, place);
        return;
      case 'with':
        this.expression(expr.expr, scope, place);
        if (expr.pipeline.stages[0].kind === 'record') this.expression(expr.pipeline.stages[0], scope, place);
        else this.pipeline(expr.pipeline, 'estimator', scope, place);
        return;
      case 'fresh':
        this.expression(expr.expr, scope, place);
        return;
      case 'each':
        this.expression(expr.values, scope, place);
        return;
      case 'pipeline':
        this.pipeline(expr.pipeline, undefined, scope, place);
        return;
      default:
        this.form(expr, scope, place);
    }
  }

  /** Forms with bodies. */
  private form(
    expr:
      | ast.MapExpr
      | ast.ReduceOver
      | ast.ScanExpr
      | ast.FixedExpr
      | ast.IfExpr
      | ast.CheckpointExpr
      | ast.ExactExpr
      | ast.SolveExpr
      | ast.AxisOp,
    scope: Scope,
    place: Place,
  ): void {
    switch (expr.kind) {
      case 'map':
      case 'reduceOver': {
        const inner = new Scope(scope);
        for (const head of expr.heads) {
          this.expression(head.over, scope, place);
          if (head.as) this.bind(head.as, inner);
        }
        this.body(expr.body, inner, place);
        return;
      }
      case 'scan': {
        const inner = new Scope(scope);
        this.expressions([expr.init, expr.over], scope, place);
        if (expr.checkpoint) this.expression(expr.checkpoint, scope, place);
        this.bind(expr.pattern, inner);
        if (expr.element) this.bind(expr.element, inner);
        this.body(expr.body, inner, place);
        return;
      }
      case 'fixed': {
        const inner = new Scope(scope);
        this.expression(expr.init, scope, place);
        this.bindName(expr.name, inner);
        this.body(expr.body, inner, place);
        this.expression(expr.until, scope, place);
        if (expr.max) this.expression(expr.max, scope, place);
        return;
      }
      case 'ifExpr':
        this.expression(expr.condition, scope, place);
        this.body(expr.then, new Scope(scope), place);
        if (!expr.otherwise) return;
        if ('kind' in expr.otherwise) this.expression(expr.otherwise, scope, place);
        else this.body(expr.otherwise, new Scope(scope), place);
        return;
      case 'checkpoint':
        for (const name of expr.keep) this.resolve(name.text, name.span, scope, place);
        this.body(expr.body, new Scope(scope), place);
        return;
      case 'exact':
        this.body(expr.body, new Scope(scope), place);
        return;
      case 'solveExpr':
        this.solve(expr, scope, place);
        return;
      case 'axisOp':
        if (expr.body) this.body(expr.body, new Scope(scope), place);
        this.expression(expr.axis, scope, place);
        if (expr.by) this.expression(expr.by, scope, place);
    }
  }

  solve(expr: ast.SolveExpr, scope: Scope, place: Place): void {
    const stepped: Place = { ...place, stepped: true };
    if (expr.problem.kind === 'call') this.call(expr.problem, scope, place, true);
    else this.expression(expr.problem, scope, place);
    if (expr.solver) this.pipeline(expr.solver, 'solver', scope, stepped);
    if (expr.steps) this.expression(expr.steps, scope, place);
    if (expr.until) this.expression(expr.until, scope, stepped);
  }

  protected bind(pattern: ast.Pattern, scope: Scope): void {
    for (const name of patternNames(pattern)) this.bindName(name, scope);
  }

  protected bindName(name: ast.Name, scope: Scope, rest: Partial<Entry> = {}): void {
    this.declare(scope, { name: name.text, kind: 'bound', span: name.span, from: -1, ...rest });
  }

  protected declare(scope: Scope, entry: Entry): void {
    const earlier = scope.declare(entry);
    if (!earlier) return;
    const labels = [{ span: earlier.span, text: `declared here first, as ${article(earlier.kind)}` }];
    this.report('OPT206', entry.span, `'${entry.name}' is declared twice`, {
      labels,
      hint: 'give one of them another name',
    });
  }

  // ---------------------------------------------------------------- calls and templates

  /** An operand: a template here is an error. */
  private value(expr: ast.Expr, scope: Scope, place: Place): void {
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

  protected declaredAt(entry: Entry) {
    return entry.from === -1 && entry.kind === 'unknown' ? [] : [{ span: entry.span, text: 'declared here' }];
  }

  /** A call; `given` where it is itself an argument or default, so that a layer or problem may be partially applied. */
  call(expr: ast.Call, scope: Scope, place: Place, given: boolean): void {
    const { callee } = expr;
    this.args(expr.args, scope, place);
    if (callee.kind === 'number') {
      this.report('OPT212', callee.span, 'a number is not callable', { hint: "write '*' for a product" });
      return;
    }
    if (callee.kind !== 'name') {
      this.expression(callee, scope, place);
      return;
    }
    const entry = this.resolve(callee.name, callee.span, scope, place);
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

  // ---------------------------------------------------------------- draws and types

  draw(draw: ast.Draw, scope: Scope, place: Place): void {
    const { dist } = draw;
    this.args(draw.args, scope, place);
    const builtin = builtinDistributions.get(dist.text);
    const user = scope.find(dist.text, dist.span.start).entry;
    if (builtin) this.diagnostics.push(...checkBuiltinArguments(draw.args, builtin, dist.span));
    else if (user && ['fn', 'unknown', 'param'].includes(user.kind)) this.usedImports.add(dist.text);
    else {
      const familiar: Record<string, string> = {
        gaussian: 'normal',
        randn: 'normal',
        rand: 'uniform',
        randint: 'integers',
        xavier: 'glorot',
        kaiming: 'he',
        multinomial: 'categorical',
        shuffle: 'permutation',
        coin: 'bernoulli',
      };
      const same = familiar[dist.text.toLowerCase()];
      this.report('OPT202', dist.span, `unknown distribution '${dist.text}'`, {
        hint: same
          ? `write '${same}'`
          : (didYouMean(dist.text, builtinDistributions.keys()) ??
            `distributions are ${[...builtinDistributions.keys()].join(', ')}`),
      });
    }
    if (draw.type) this.type(draw.type, scope, place, false);
    if (draw.like) this.expression(draw.like, scope, place);
    if (draw.seed) this.expression(draw.seed, scope, place);
  }

  init(init: ast.Init, scope: Scope, place: Place): void {
    if (init.kind === 'draw') this.draw(init.draw, scope, place);
    else this.given(init.expr, scope, place);
  }

  /** A type; where it `binds`, plain names that mean no dim yet are new dims of `scope`. */
  type(type: ast.TypeExpr, scope: Scope, place: Place, binds: boolean): void {
    for (const dim of type.dims ?? []) {
      if (dim.kind === 'star') continue;
      if (dim.kind !== 'name') {
        this.expression(dim, scope, place);
        continue;
      }
      const { entry } = scope.find(dim.name, dim.span.start);
      if (binds && !isDim(entry)) {
        if (!scope.entries.has(dim.name))
          scope.declare({ name: dim.name, kind: 'dim', span: dim.span, from: -1, family: true });
        continue;
      }
      if (entry) {
        this.usedImports.add(dim.name);
        continue;
      }
      const dims = [...scope.visible()].filter((name) => isDim(scope.find(name, dim.span.start).entry));
      this.report('OPT223', dim.span, `unknown dim '${dim.name}'`, {
        hint:
          didYouMean(dim.name, dims) ?? `declare it with 'dim ${dim.name} = …', or bind it in the type of a parameter`,
      });
    }
  }
}

function isDim(entry: Entry | undefined): boolean {
  return (
    entry !== undefined &&
    (entry.kind === 'dim' ||
      entry.kind === 'unknown' ||
      (entry.kind === 'param' && (entry.paramKind === 'dim' || entry.paramKind === 'value')))
  );
}

const examples: Record<Wanted, string> = {
  rule: "write 'by adam(1e-3)', with 'use rules { adam }'",
  estimator: "write 'with spsa(1e-3)', with 'use estimators { spsa }'",
  solver: "write 'solve p by penalty() for 100'",
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
