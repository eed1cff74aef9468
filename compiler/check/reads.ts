/**
 * What the text of a template does with its own names. A state that is kept and never used, or used and never written, changes no shape and raises no error: a
 * multiplier is updated and the constraint never enforced, a momentum is added and always 0.
 */
import type * as ast from '../ast/nodes.ts';
import { type Diagnostic, warning } from '../diagnostics/diagnostic.ts';

type Part = Readonly<Record<string, unknown>>;

const isPart = (value: unknown): value is Part => typeof value === 'object' && value !== null;

/** Parts of a piece of the syntax tree, places aside. */
function partsOf(part: Part): Part[] {
  return Object.entries(part).flatMap(([key, value]) => {
    if (key === 'span' || key === 'opSpan') return [];
    if (Array.isArray(value)) return value.filter(isPart);
    return isPart(value) ? [value] : [];
  });
}

/** Whether a body reads a name anywhere; with `aside`, what it writes or takes the shape of is not read. A name that is declared again counts as read: nothing is said where that may be meant. */
export function readsName(body: ast.Body, name: string, aside = false): boolean {
  const stack: Part[] = [body as unknown as Part];
  for (let part = stack.pop(); part; part = stack.pop()) {
    if (part.kind === 'name' && part.name === name) return true;
    const target = aside && part.kind === 'write' ? part.target : undefined;
    if (aside && isShapeOf(part)) continue;
    stack.push(...partsOf(part).filter((inner) => inner !== target));
  }
  return false;
}

/** `zeros_like(p)`, `size(p)`: of p they take the shape alone. */
function isShapeOf(part: Part): boolean {
  if (part.kind !== 'call') return false;
  const { callee } = part as unknown as ast.Call;
  return callee.kind === 'name' && (FILLED.has(callee.name) || SIZES.has(callee.name));
}

/** Names at the root of what a statement writes: m of m[i], P of P.head. */
function rootsOf(target: unknown): string[] {
  if (!isPart(target)) return [];
  if (target.kind === 'name') return [String(target.name)];
  if (target.kind === 'tuple') return partsOf(target).flatMap(rootsOf);
  const inner = target.object ?? target.base ?? target.expr ?? target.target;
  return isPart(inner) ? rootsOf(inner) : [];
}

/** How states are used in a body. */
class Uses {
  /** Read where the state itself is not what is written. */
  readonly read = new Set<string>();
  /** Read by `multipliers` alone counts as shown, not as used. */
  readonly shown = new Set<string>();
  readonly written = new Set<string>();
  /** Written from what they were: sums and averages over steps. */
  readonly kept = new Set<string>();
  readonly states: ast.CellDecl[] = [];

  visit(part: Part, inside: ReadonlySet<string>, showing = false): void {
    if (part.kind === 'name') {
      const name = String(part.name);
      if (inside.has(name)) this.kept.add(name);
      else (showing ? this.shown : this.read).add(name);
      return;
    }
    if (part.kind === 'cell' && part.word === 'state') this.states.push(part as unknown as ast.CellDecl);
    if (part.kind === 'report')
      for (const item of part.items as ast.ReportStmt['items']) if (!item.value) this.read.add(item.name.text);
    const targets = part.kind === 'write' ? [part.target] : part.kind === 'update' ? (part.targets as unknown[]) : [];
    const roots = targets.flatMap(rootsOf);
    for (const root of roots) this.written.add(root);
    const own = roots.length === 1 ? new Set(roots) : new Set<string>();
    const within = targets.length > 0 ? own : inside;
    for (const inner of partsOf(part)) {
      // A target is written, not read; what it is indexed by is.
      if (targets.includes(inner) && inner.kind === 'name') continue;
      if (roots.length > 1 && targets.includes(inner)) continue;
      this.visit(inner, within, showing || part.kind === 'multipliers');
    }
  }
}

/** OPT436 for states of the templates of a file. */
export function checkStates(module: ast.Module): Diagnostic[] {
  const found: Diagnostic[] = [];
  const kinds = new Set(['rule', 'solver', 'estimator', 'aggregator']);
  const stack: Part[] = module.statements.map((s) => s as unknown as Part);
  for (let part = stack.pop(); part; part = stack.pop()) {
    if (kinds.has(String(part.kind)) && isPart(part.body)) found.push(...statesOf(part as unknown as Declared));
    else if (part.kind === 'trial') stack.push(...partsOf(part));
    else if (isPart(part.statements)) stack.push(...partsOf(part));
  }
  return found;
}

type Declared = ast.RuleDecl | ast.SolverDecl | ast.EstimatorDecl | ast.AggregatorDecl;

function statesOf(decl: Declared): Diagnostic[] {
  const uses = new Uses();
  uses.visit(decl.body as unknown as Part, new Set());
  return uses.states.flatMap(({ name, init }) => {
    if (!uses.read.has(name.text)) {
      const published = uses.shown.has(name.text);
      // Multipliers that each step finds anew, as those of a system that it solves, are only to be shown.
      if (published && !uses.kept.has(name.text)) return [];
      return [
        warning(
          'OPT436',
          name.span,
          published
            ? `the state ${name.text} is published and moves nothing: no step of ${decl.name.text} reads it`
            : `the state ${name.text} is kept for nothing: no step of ${decl.name.text} reads it`,
          { hint: published ? 'the derivative by the variables belongs to f + dot(multipliers, residuals)' : 'use it, or remove it' }, // prettier-ignore
        ),
      ];
    }
    if (uses.written.has(name.text) || !isConstant(init)) return [];
    return [
      warning('OPT436', name.span, `the state ${name.text} is read and never written: it keeps its first value`, {
        hint: `write ${name.text} <- …, or make it a let`,
      }),
    ];
  });
}

/** Functions of the language whose value has nothing but the shape of what they are given. */
const FILLED = new Set(['zeros', 'zeros_like', 'ones', 'ones_like']);

const SIZES = new Set(['size', 'len']);

/** A first value that says nothing of where the solve begins; others may well be kept, as the point where it began. */
function isConstant(init: ast.Init | undefined): boolean {
  if (init?.kind !== 'value') return false;
  const value = init.expr;
  if (value.kind === 'number') return true;
  return value.kind === 'call' && value.callee.kind === 'name' && FILLED.has(value.callee.name);
}
