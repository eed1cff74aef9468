/**
 * Placement: which statements may stand in which bodies. One table says where each may stand; one walk compares. Bodies of `if`, `for`,
 * `repeat`, `while`, `every`, `first` and `together` belong to what is around them.
 */
import type * as ast from '../ast/nodes.ts';
import { error } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';

type Owner =
  | 'file'
  | 'trial'
  | 'train'
  | 'eval'
  | 'fn'
  | 'layer'
  | 'model'
  | 'rule'
  | 'estimator'
  | 'aggregator'
  | 'solver'
  | 'problem'
  | 'class'
  | 'set';

interface Context {
  readonly owner: Owner;
  /** In the body of `map`, a reduction, `fixed` …: something that yields a value, perhaps many times. */
  readonly inValue: boolean;
  readonly inScan: boolean;
  /** In the body of a loop of the run, or of statements side by side, of the text that the owner holds. */
  readonly within?: 'repeat' | 'while' | 'together';
}

interface Rule {
  readonly word: string;
  readonly owners: readonly Owner[];
  /** Whether it may stand in the body of an expression such as `map`. */
  readonly inValue: boolean;
  readonly hint: string;
}

const top: readonly Owner[] = ['file', 'trial'];
const code: readonly Owner[] = [
  'file',
  'trial',
  'train',
  'eval',
  'fn',
  'layer',
  'model',
  'rule',
  'estimator',
  'aggregator',
  'solver',
  'problem',
];
const moving: readonly Owner[] = ['train', 'fn', 'rule', 'estimator', 'aggregator', 'solver'];
const updating: readonly Owner[] = ['rule', 'estimator', 'aggregator', 'solver'];

const rule = (word: string, owners: readonly Owner[], inValue: boolean, hint: string): Rule => ({
  word,
  owners,
  inValue,
  hint,
});
const declaration = (word: string): Rule => rule(word, top, false, 'move it to the top of the file or into a trial');
const anywhere = (word: string): Rule => rule(word, code, true, 'classes and sets hold only their own parts');

const rules: Partial<Record<ast.Stmt['kind'], Rule>> = {
  use: rule('use', ['file'], false, 'move it to the top of the file'),
  dim: rule('dim', code, false, 'declare it outside the expression'),
  hyper: rule('hyper', top, false, 'move it to the top of the file or into a trial'),
  axis: declaration('axis'),
  data: declaration('data'),
  layer: declaration('layer'),
  model: rule(
    'model',
    ['file', 'trial', 'train', 'eval', 'fn', 'solver'],
    false,
    'move it to the top of the file or into a trial',
  ),
  modelInstance: rule(
    'model',
    ['file', 'trial', 'train', 'eval', 'fn', 'solver'],
    false,
    'inside a layer call the layer itself: each call owns its parameters',
  ),
  fn: anywhere('fn'),
  rule: declaration('rule'),
  estimator: declaration('estimator'),
  aggregator: declaration('aggregator'),
  solver: declaration('solver'),
  class: declaration('class'),
  set: declaration('set'),
  problem: declaration('problem'),
  trial: rule('trial', ['file'], false, 'trials stand at the top of a file'),
  run: rule('run', ['file'], false, 'runs stand at the top of a file, outside of trials'),
  export: rule('export', ['file'], false, 'exports stand at the top of a file'),
  let: anywhere('let'),
  letMember: anywhere('let'),
  sample: anywhere('sample'),
  batch: rule(
    'batch',
    ['train', 'problem', 'solver'],
    true,
    "draw batches in a 'train' body; elsewhere read the whole data set, as in 'D.x'",
  ),
  write: rule(
    '<-',
    ['file', 'trial', 'train', 'eval', 'fn', 'layer', 'model', 'rule', 'estimator', 'aggregator', 'solver'],
    true,
    'a problem states what is sought; its solver writes',
  ),
  update: rule('update', moving, true, "put it into 'train 100 { … }'; an 'eval' changes nothing"),
  train: rule('train', top, false, "'train' stands at the top of a file or in a trial; use 'repeat' inside"),
  solve: rule(
    'solve',
    ['file', 'trial', 'train', 'solver', 'fn', 'estimator'],
    true,
    "'solve' stands in phases, loops and solvers",
  ),
  eval: rule('eval', ['file', 'trial', 'train'], false, "'eval' stands at the top of a file, in a trial or in 'train'"),
  metric: rule(
    'metric',
    ['file', 'trial', 'eval'],
    false,
    "in 'train' write 'report a = e' for each step, or put the metric into 'eval every 100 { … }'",
  ),
  report: rule(
    'report',
    ['train', 'rule', 'estimator', 'aggregator', 'solver', 'problem'],
    false,
    "outside of training write 'metric a = e'",
  ),
  expect: rule('expect', top, false, 'claims stand at the top of a file, where all runs are known'),
  every: rule(
    'every',
    ['train', 'problem', ...updating],
    false,
    "'every' counts the steps of a 'train', 'solve' or rule; it stands in those",
  ),
  first: rule('first', ['solver'], false, "'first' runs once before a solver's first step; it stands in solvers"),
  together: rule('together', ['train', 'solver'], false, "'together' stands in 'train' and solvers"),
  stopWhen: rule('stop when', ['solver'], false, "in training write 'train until C max N { … }'"),
  failWhen: rule('fail when', ['solver', 'train'], false, "'fail when' stands in solvers and 'train'"),
  multipliers: rule('multipliers', ['solver'], false, "'multipliers' publishes a solver's; it stands in solvers"),
  over: rule('over', ['problem', 'class'], false, "variables 'over' stand in problems; elsewhere write 'var x = e'"),
  objective: rule('minimize', ['problem', 'class'], false, "in training write 'update P by rule(…) minimizing L'"),
  constraint: rule('subject to', ['problem', 'class'], false, 'constraints stand in problems'),
  lowerLevel: rule('where … solves', ['problem', 'class'], false, 'lower levels stand in problems'),
  player: rule('player', ['problem', 'class'], false, 'players stand in problems'),
  setMember: rule('a member of a set', ['set'], false, 'members stand in sets'),
};

const cellRules: Record<ast.CellDecl['word'], Rule> = {
  var: rule('var', code, true, 'classes and sets hold only their own parts'),
  param: rule(
    'param',
    ['layer', 'model'],
    false,
    "parameters belong to layers and models; elsewhere write 'var x = e'",
  ),
  state: rule(
    'state',
    ['layer', 'model', ...updating],
    false,
    "'state' belongs to layers, rules, estimators, aggregators and solvers; elsewhere write 'var x = e'",
  ),
  frozen: rule(
    'frozen',
    ['file', 'trial', 'layer', 'model'],
    false,
    "'frozen' is drawn once for a run; inside loops write 'sample'",
  ),
};

const ownerText: Record<Owner, string> = {
  file: 'at the top of a file',
  trial: 'in a trial',
  train: "in 'train'",
  eval: "in 'eval'",
  fn: 'in a function',
  layer: 'in a layer',
  model: 'in a model',
  rule: 'in a rule',
  estimator: 'in an estimator',
  aggregator: 'in an aggregator',
  solver: 'in a solver',
  problem: 'in a problem',
  class: 'in a class',
  set: 'in a set',
};

/** Owners that a declaration's body belongs to. */
const ownerOf: Partial<Record<string, Owner>> = {
  trial: 'trial', train: 'train', eval: 'eval', fn: 'fn', layer: 'layer', model: 'model', rule: 'rule', estimator: 'estimator', aggregator: 'aggregator',
  solver: 'solver', problem: 'problem', class: 'class', set: 'set',
}; // prettier-ignore

const valueBodies = new Set(['map', 'reduceOver', 'fixed', 'checkpoint', 'exact', 'axisOp', 'scan']);

/** Statements that stand where they have no meaning. */
export function checkPlacement(module: ast.Module): Diagnostic[] {
  const walk = new PlacementWalk();
  walk.list(module.statements, { owner: 'file', inValue: false, inScan: false });
  return walk.diagnostics;
}

class PlacementWalk {
  readonly diagnostics: Diagnostic[] = [];

  list(statements: readonly ast.Stmt[], context: Context): void {
    for (const stmt of statements) {
      this.check(stmt, context);
      this.inside(stmt, context);
    }
  }

  private check(stmt: ast.Stmt, context: Context): void {
    if (stmt.kind === 'expr') {
      const value = stmt.expr;
      const comparison = value.kind === 'binary' && value.op === '==' && context.owner !== 'fn';
      const hint = comparison
        ? "write '<-' to write a cell, or 'expect a == b' for a claim"
        : "name it with 'let', show it with 'report' or 'metric', or remove it; only the last expression of a body is its value";
      this.report('OPT221', stmt.span, 'the value of this expression is used by nothing', hint);
      return;
    }
    if (stmt.kind === 'emit' || stmt.kind === 'next') {
      if (!context.inScan)
        this.report(
          'OPT220',
          stmt.span,
          `'${stmt.kind}' stands only in the body of a 'scan'`,
          "write 'scan h = h0 for e in xs { next f(h, e) }'; the value of other bodies is their last expression",
        );
      return;
    }
    const placed = stmt.kind === 'cell' ? cellRules[stmt.word] : rules[stmt.kind];
    if (!placed) return;
    if (!placed.owners.includes(context.owner))
      this.report('OPT220', stmt.span, `'${placed.word}' cannot stand ${ownerText[context.owner]}`, placed.hint);
    else if (context.inValue && !placed.inValue)
      this.report('OPT220', stmt.span, `'${placed.word}' cannot stand inside an expression such as 'map'`, placed.hint);
    else if (context.within && (stmt.kind === 'stopWhen' || stmt.kind === 'failWhen'))
      this.report('OPT444', stmt.span, `'${placed.word}' ends a whole step of the solve, not a turn or part of '${context.within}'`, // prettier-ignore
        `compute the condition in a variable, and write ${placed.word} behind the ${context.within}, before the first write of the step`); // prettier-ignore
  }

  /** Goes through the bodies and expressions of a statement. */
  private inside(node: object, context: Context): void {
    for (const [key, child] of Object.entries(node)) {
      if (key === 'span' || key === 'opSpan' || typeof child !== 'object' || child === null) continue;
      if (Array.isArray(child)) for (const item of child) this.child(item, node, context);
      else this.child(child, node, context);
    }
  }

  private child(child: unknown, parent: object, context: Context): void {
    if (typeof child !== 'object' || child === null) return;
    if ('kind' in child && child.kind === 'index' && (child as ast.Index).replacement) this.drawnRows(child as ast.Index, parent); // prettier-ignore
    const kind = (parent as { kind?: string }).kind ?? '';
    if ('statements' in child) {
      const body = child as ast.Body;
      const inner = bodyContext(kind, context);
      this.list(inner.inScan ? this.turn(body) : body.statements, inner);
      if (body.value) this.inside({ value: body.value }, inner);
      return;
    }
    this.inside(
      child,
      'kind' in child && (child as { kind: unknown }).kind === 'fn' ? bodyContext('export', context) : context,
    );
  }

  /** Statements of a scan's body; of one without `next` whose last is an expression, that is told of as the next state that it is taken for. */
  private turn({ statements }: ast.Body): readonly ast.Stmt[] {
    const last = statements.at(-1);
    if (last?.kind !== 'expr' || statements.some((stmt) => stmt.kind === 'next')) return statements;
    this.report(
      'OPT424',
      last.span,
      "the body of a scan ends with 'next' and the state for the next turn, and here is no 'next'",
      'write next before it: scan h = h0 for e in xs { …; next f(h, e) }; of several states: next (f(h, c), g(h, c))',
    );
    return statements.slice(0, -1);
  }

  /** `D[64] replacement` draws rows, which only a batch does. */
  private drawnRows(expr: ast.Index, parent: object): void {
    if ((parent as { kind?: string }).kind === 'batch') return;
    const hint =
      'write batch b = D[64] replacement; indices drawn of an array: sample i ~ integers(0, len(x)) i32[64], and x[i]';
    this.report('OPT316', expr.span, "'replacement' draws the rows of a batch, and here is none", hint);
  }

  private report(
    codeName: 'OPT220' | 'OPT221' | 'OPT316' | 'OPT424' | 'OPT444',
    span: Span,
    message: string,
    hint: string,
  ): void {
    this.diagnostics.push(error(codeName, span, message, { hint }));
  }
}

/** Context of a body that belongs to a node of this kind. */
function bodyContext(kind: string, context: Context): Context {
  const owner = ownerOf[kind];
  if (owner) return { owner, inValue: false, inScan: false };
  if (kind === 'repeat' || kind === 'while' || kind === 'together') return { ...context, within: kind };
  if (valueBodies.has(kind)) return { ...context, inValue: true, inScan: kind === 'scan' };
  return context;
}
