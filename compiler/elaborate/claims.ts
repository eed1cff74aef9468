/**
 * Claims: `expect E` becomes data that the runtime evaluates over the series of finished runs. Parts of E that read no series are computed by the
 * program itself, as hidden metrics.
 */
import type * as ast from '../ast/nodes.ts';
import { CLAIM_PART, type Claim, type ClaimBody, type ClaimExpr, type SeriesRead } from '../bundle/format.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Span } from '../source/source.ts';
import { factOf, isFact, type RunPart } from './claim-facts.ts';
import type { Elaboration } from './context.ts';
import { prepareExact } from './exact.ts';
import { plain, toDim, toNode } from './convert.ts';
import { fieldNames } from './problem-fields.ts';
import { runsRead } from './run-reads.ts';
import { type Frame, Scope } from './scope.ts';
import { type Family, kindText, type RunValue, type Value } from './values.ts';

const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>=', '~=']);
const OPERATORS: Partial<Record<ast.BinaryOp, string>> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '/': 'div',
  '^': 'pow',
  div: 'floor_div',
  mod: 'floor_mod',
};
/** Functions of scalars in claims, by the name of their primitive. */
const FUNCTIONS: Record<string, string> = {
  abs: 'abs',
  log: 'log',
  exp: 'exp',
  sqrt: 'sqrt',
  floor: 'floor',
  ceil: 'ceil',
  round: 'round',
};

/** What may be read of every run beside its series and members. */
const OF_EVERY_RUN = new Set(['steps', 'status']);
const STATUS_RULE = 'the status of a run is compared with a text by == or !=';
const STATUS_HINT = 'write expect a.status == "ok", or "failed"';

/** Series of a run by the name under which an expect reads it. */
interface Series {
  readonly run: string;
  readonly name: string;
}

export function claim(e: Elaboration, stmt: ast.ExpectStmt, frame: Frame, run: RunValue): Claim {
  const reader = new Reader(e, withRun(e, frame, run, stmt.span), run, stmt);
  const seeds = stmt.seeds && seedRange(e, stmt.seeds, frame);
  const base = {
    text: e.options
      .text(stmt.span)
      .replace(/^expect\s+/, '')
      .replace(/\s+/g, ' ')
      .trim(),
    place: e.options.place(stmt.span),
    seeds,
  };
  if (stmt.fails) {
    const found = e.do.expression(e, stmt.fails.run, frame);
    if (found.kind !== 'run')
      fail('OPT332', stmt.fails.run.span, `only runs can fail, not ${kindText(found)}`, { hint: 'name a run' });
    return { ...base, body: { kind: 'fails', run: found.name, reason: stmt.fails.reason?.value } };
  }
  const expr = stmt.claim;
  if (!expr) fail('OPT332', stmt.span, 'this expect claims nothing', { hint: 'write expect accuracy > 0.9' });
  return { ...base, body: bodyOf(e, reader, expr) };
}

/** A file without runs is one run, which goes by the word `run` unless the file calls something else so. */
function withRun(e: Elaboration, frame: Frame, run: RunValue, span: Span): Frame {
  if (e.hasRuns || frame.scope.find('run')) return frame;
  const scope = new Scope(frame.scope);
  scope.set('run', { kind: 'value', value: run, span });
  return { ...frame, scope };
}

/** A comparison, or several joined by `and` and `or`. */
function bodyOf(e: Elaboration, reader: Reader, expr: ast.Expr): ClaimBody {
  if (expr.kind === 'binary' && (expr.op === 'and' || expr.op === 'or')) {
    const kind = expr.op === 'and' ? 'all' : 'any';
    const parts = [bodyOf(e, reader, expr.left), bodyOf(e, reader, expr.right)];
    return { kind, of: parts.flatMap((part) => (part.kind === kind ? part.of : [part])) };
  }
  if (expr.kind === 'binary' && COMPARISONS.has(expr.op)) {
    const status = reader.status(expr);
    if (status) return status;
    if (expr.op === '~=' && !expr.within)
      fail('OPT332', expr.span, "'~=' does not say how near is near enough", {
        hint: `write ${e.options.text(expr.span)} within 1e-4`,
      });
    return {
      kind: 'holds',
      op: expr.op as '==',
      left: reader.read(expr.left),
      right: reader.read(expr.right),
      within: expr.within && reader.read(expr.within),
    };
  }
  if (expr.kind === 'call' && expr.callee.kind === 'name' && expr.callee.name === 'nondecreasing')
    return { kind: 'holds', op: '==', left: reader.read(expr), right: { kind: 'number', value: 1 } };
  fail('OPT332', expr.span, 'a claim is a comparison, or several joined by and, or', {
    hint: 'write expect accuracy > 0.9',
  });
}

function seedRange(e: Elaboration, range: ast.RangeExpr, frame: Frame): readonly [number, number] {
  const lo = toDim(e, e.do.expression(e, range.lo, frame), range.lo.span, 'a seed');
  const hi = toDim(e, e.do.expression(e, range.hi, frame), range.hi.span, 'a seed') - (range.closed ? 0 : 1);
  if (hi < lo) fail('OPT332', range.span, 'no seed in this range', { hint: 'write over seeds 1..=3' });
  return [lo, hi];
}

class Reader {
  private readonly e: Elaboration;
  private readonly frame: Frame;
  private readonly run: RunValue;
  private readonly stmt: ast.ExpectStmt;

  constructor(e: Elaboration, frame: Frame, run: RunValue, stmt: ast.ExpectStmt) {
    this.e = e;
    this.frame = frame;
    this.run = run;
    this.stmt = stmt;
  }

  /** `a.status == "failed"`. */
  status(claim: ast.Binary): ClaimBody | undefined {
    const read = (expr: ast.Expr) =>
      expr.kind === 'member' && expr.name.text === 'status' ? this.runOf(expr.object) : undefined;
    const run = read(claim.left) ?? read(claim.right);
    if (!run) return undefined;
    const text = read(claim.left) ? claim.right : claim.left;
    if (claim.op !== '==' && claim.op !== '!=') fail('OPT332', claim.span, STATUS_RULE, { hint: STATUS_HINT });
    if (text.kind !== 'string' || (text.value !== 'ok' && text.value !== 'failed'))
      fail('OPT332', text.span, STATUS_RULE, { hint: STATUS_HINT });
    return { kind: 'status', run: run.name, is: text.value, equal: claim.op === '==' };
  }

  read(expr: ast.Expr): ClaimExpr {
    const series = this.series(expr);
    if (series) return { kind: 'series', ...series, read: { kind: 'last' } };
    switch (expr.kind) {
      case 'at':
        if (expr.step)
          return this.seriesRead(expr.expr, {
            kind: 'at',
            step: toDim(this.e, this.e.do.expression(this.e, expr.step, this.frame), expr.step.span, 'a step'),
          });
        break;
      case 'member':
        if (expr.name.text === 'steps') {
          const run = this.runOf(expr.object);
          if (run) return { kind: 'steps', run: run.name };
        }
        if (expr.name.text === 'status' && this.runOf(expr.object))
          fail('OPT332', expr.span, STATUS_RULE, { hint: STATUS_HINT });
        break;
      case 'name':
        if (expr.name === 'steps') return { kind: 'steps', run: this.run.name };
        break;
      case 'call': {
        const found = this.call(expr);
        if (found) return found;
        break;
      }
      default:
        break;
    }
    if (expr.kind === 'member') this.notOfSweep(expr.object, expr);
    if (!this.readsSeries(expr)) return this.computed(expr);
    if (expr.kind === 'unary' && expr.op === '-') return { kind: 'op', op: 'neg', args: [this.read(expr.operand)] };
    if (expr.kind === 'binary' && OPERATORS[expr.op])
      return { kind: 'op', op: OPERATORS[expr.op] as string, args: [this.read(expr.left), this.read(expr.right)] };
    fail('OPT331', expr.span, 'series can be combined by arithmetic and by max, min, abs, log, exp, sqrt only', {
      hint: 'compute it as a metric',
    });
  }

  private call(expr: ast.Call): ClaimExpr | undefined {
    if (expr.callee.kind !== 'name') return undefined;
    const name = expr.callee.name;
    const args = expr.args.filter((a) => !a.name).map((a) => a.value);
    const last = expr.args.find((a) => a.name?.text === 'last');
    const one = args.length === 1 ? args[0] : undefined;
    if (isFact(name) && !this.frame.scope.find(name)) {
      return factOf(this.e, expr, this.frame, (part) => this.partOf(part));
    }
    const series = one && this.series(one);
    if (last && !series)
      fail('OPT331', expr.span, `${name} over the last values takes one series of a run`, {
        hint: 'name a metric or report: mean(m, last: 5)',
      });
    switch (name) {
      case 'max':
      case 'min':
        if (series) return { kind: 'series', ...series, read: { kind: name, ...this.lastOf(last) } };
        if (args.length > 1 && args.some((a) => this.readsSeries(a)))
          return args.map((a) => this.read(a)).reduce((a, b) => ({ kind: 'op', op: name, args: [a, b] }));
        return undefined;
      case 'nondecreasing':
        if (!one) return undefined;
        return this.seriesRead(one, { kind: 'nondecreasing' });
      case 'mean':
        if (series && last) return { kind: 'series', ...series, read: { kind: 'mean', ...this.lastOf(last) } };
        if (one && this.readsSeries(one)) return this.overSeeds('mean', one, expr.span);
        return undefined;
      case 'median':
        return one && this.overSeeds('median', one, expr.span);
      case 'highest':
      case 'lowest':
      case 'best':
        return one && this.members(one, name === 'lowest' ? 'lowest' : 'highest', expr.span);
      default:
        if (Object.hasOwn(FUNCTIONS, name) && one && this.readsSeries(one))
          return { kind: 'op', op: FUNCTIONS[name], args: [this.read(one)] };
        return undefined;
    }
  }

  /** `last: 5`. */
  private lastOf(last: ast.Arg | undefined): { readonly last?: number } {
    if (!last) return {};
    const n = toDim(this.e, this.e.do.expression(this.e, last.value, this.frame), last.span, 'a window');
    if (n < 1) fail('OPT305', last.value.span, `a window has at least one value, not ${n}`, { hint: 'write last: 5' });
    return { last: n };
  }

  /** `a.step`, `a.predict`; `run.step` or `step` in a file without runs; `predict` of the file. */
  private partOf(expr: ast.Expr): RunPart | undefined {
    if (expr.kind === 'name') return { run: this.e.hasRuns ? undefined : '', part: expr.name, span: expr.span };
    if (expr.kind !== 'member') return undefined;
    const run = this.runOf(expr.object);
    return run && { run: run.name, part: expr.name.text, span: expr.span };
  }

  private overSeeds(reduce: 'median' | 'mean', arg: ast.Expr, span: Span): ClaimExpr {
    if (!this.stmt.seeds)
      fail('OPT333', span, `${reduce} reduces over seeds, but this claim has one`, {
        hint: reduce === 'mean' ? 'add over seeds 1..=3, or a window: mean(m, last: 5)' : 'add over seeds 1..=3',
      });
    return { kind: 'overSeeds', reduce, arg: this.read(arg) };
  }

  /** `highest(s.acc)`, `highest(s.acc at 30)` of a sweep s. */
  private members(expr: ast.Expr, reduce: 'highest' | 'lowest', span: Span): ClaimExpr {
    const member = expr.kind === 'at' && expr.step ? expr.expr : expr;
    if (member.kind === 'member') {
      const read: SeriesRead =
        expr.kind === 'at' && expr.step
          ? {
              kind: 'at',
              step: toDim(this.e, this.e.do.expression(this.e, expr.step, this.frame), expr.step.span, 'a step'),
            }
          : { kind: 'last' };
      const family = this.e.do.expression(this.e, member.object, this.frame);
      if (family.kind === 'family') {
        const { name } = member;
        const args = [...family.members.values()].map((m): ClaimExpr => {
          if (m.kind !== 'run' || !m.series.has(name.text)) this.unknown(name, m.kind === 'run' ? m : this.run);
          return { kind: 'series', run: (m as RunValue).name, name: name.text, read };
        });
        return { kind: 'members', reduce, args };
      }
    }
    fail('OPT331', span, `${reduce} reduces a series of a sweep`, {
      hint: 'make a sweep: run s = fit(lr: each [1e-3, 1e-2])',
    });
  }

  private seriesRead(expr: ast.Expr, read: SeriesRead): ClaimExpr {
    const series = this.series(expr);
    if (!series)
      fail('OPT331', expr.span, 'a metric or report of a run is needed here', {
        hint: didYouMean(this.e.options.text(expr.span), this.run.series.keys()) ?? 'name a metric or report',
      });
    return { kind: 'series', ...series, read };
  }

  /** The series that an expression names: `m`, `m[0]`, `run.m`, `sweep.m[k]`. */
  private series(expr: ast.Expr): Series | undefined {
    if (expr.kind === 'name')
      return this.run.series.has(expr.name) ? { run: this.run.name, name: expr.name } : undefined;
    if (expr.kind === 'member') {
      const run = this.runOf(expr.object);
      if (!run) return this.ofProblem(expr);
      if (run.series.has(expr.name.text)) return { run: run.name, name: expr.name.text };
      const field = run.problem !== undefined && fieldNames(run.problem).includes(expr.name.text);
      if (!field && !run.members.has(expr.name.text) && !OF_EVERY_RUN.has(expr.name.text)) this.unknown(expr.name, run);
      return undefined;
    }
    if (expr.kind === 'index' && expr.items.length === 1 && expr.items[0].kind === 'at') {
      const k = this.e.do.expression(this.e, expr.items[0].expr, this.frame);
      if (k.kind !== 'exact') return undefined;
      if (expr.object.kind === 'name') {
        const name = `${expr.object.name}[${k.value}]`;
        return this.run.series.has(name) ? { run: this.run.name, name } : undefined;
      }
      if (expr.object.kind === 'member') {
        const owner = this.owner(expr.object.object);
        const field = expr.object.name.text;
        if (owner?.kind === 'family') {
          return this.ofMember(owner, expr.object.name, k.value, expr.items[0].expr.span);
        }
        if (owner?.kind === 'run' && owner.series.has(`${field}[${k.value}]`))
          return { run: owner.name, name: `${field}[${k.value}]` };
      }
    }
    return undefined;
  }

  /** `P.kkt`: what a solver reports of a problem that a phase of this run solves. */
  private ofProblem({ object, name }: ast.Member): Series | undefined {
    if (object.kind !== 'name') return undefined;
    const text = `${object.name}.${name.text}`;
    return this.run.series.has(text) ? { run: this.run.name, name: text } : undefined;
  }

  /** `sweep.m[k]`: the series m of its run k. */
  private ofMember(sweep: Family, name: ast.Name, k: number, span: Span): Series | undefined {
    const run = sweep.members.get(k);
    if (!run)
      fail('OPT307', span, `there is no member ${k} of ${kindText(sweep)}`, {
        hint: `members are ${[...sweep.members.keys()].join(', ')}`,
      });
    if (run.kind !== 'run') return undefined;
    if (run.series.has(name.text)) return { run: run.name, name: name.text };
    const other = OF_EVERY_RUN.has(name.text) || run.members.has(name.text);
    if (!other && !(run.problem && fieldNames(run.problem).includes(name.text))) this.unknown(name, run);
    fail('OPT331', name.span, `${name.text} is no series of ${run.name}`, {
      hint: `write ${sweep.name}[${k}].${name.text}`,
    });
  }

  /** A sweep is several runs, and `sweep.m` alone names none of them. */
  private notOfSweep(object: ast.Expr, whole: ast.Member): void {
    const sweep = object.kind === 'name' ? this.owner(object) : undefined;
    if (sweep?.kind !== 'family' || [...sweep.members.values()].some((m) => m.kind !== 'run')) return;
    const text = this.e.options.text(whole.span);
    fail('OPT331', whole.span, `${sweep.name} has ${sweep.members.size} runs, and a claim compares numbers`, {
      hint: `write ${text}[0] for one of them, lowest(${text}) or highest(${text}) over all`,
    });
  }

  private owner(expr: ast.Expr): Value | undefined {
    const run = this.runOf(expr);
    if (run) return run;
    if (expr.kind !== 'name' || !this.frame.scope.find(expr.name)) return undefined;
    return this.e.do.expression(this.e, expr, this.frame);
  }

  private runOf(expr: ast.Expr): RunValue | undefined {
    if (expr.kind !== 'name' && expr.kind !== 'index') return undefined;
    const root = expr.kind === 'name' ? expr : expr.object;
    if (root.kind !== 'name' || !this.frame.scope.find(root.name)) return undefined;
    const binding = this.e.do.expression(this.e, root, this.frame);
    if (binding.kind !== 'run' && binding.kind !== 'family') return undefined;
    const value = expr.kind === 'name' ? binding : this.e.do.expression(this.e, expr, this.frame);
    return value.kind === 'run' ? value : undefined;
  }

  private unknown(name: ast.Name, run: RunValue): never {
    fail(
      'OPT330',
      name.span,
      `${run.name === '' ? 'this file' : `the run ${run.name}`} records nothing called '${name.text}'`,
      {
        hint:
          didYouMean(name.text, run.series.keys()) ??
          (run.series.size > 0 ? `it records ${[...run.series.keys()].join(', ')}` : 'record it: metric name = …'),
      },
    );
  }

  private readsSeries(expr: ast.Expr): boolean {
    if (this.series(expr)) return true;
    if (expr.kind === 'binary') return this.readsSeries(expr.left) || this.readsSeries(expr.right);
    if (expr.kind === 'unary') return this.readsSeries(expr.operand);
    if (expr.kind === 'at' && expr.step) return true;
    if (expr.kind === 'member' && expr.name.text === 'steps') return this.runOf(expr.object) !== undefined;
    if (expr.kind === 'call')
      return (
        (expr.callee.kind === 'name' &&
          (isFact(expr.callee.name) || ['highest', 'lowest', 'best'].includes(expr.callee.name))) ||
        expr.args.some((a) => this.readsSeries(a.value))
      );
    return false;
  }

  /** A part without series: a number, or a hidden metric computed after everything else. */
  private computed(expr: ast.Expr): ClaimExpr {
    const { e } = this;
    if (expr.kind === 'name' && !this.frame.scope.find(expr.name) && expr.name !== 'pi') {
      fail('OPT330', expr.span, `nothing is recorded under '${expr.name}'`, {
        hint: didYouMean(expr.name, this.run.series.keys()) ?? 'record it: metric name = …, or report name',
      });
    }
    e.entry = e.once();
    prepareExact(e, expr, this.frame);
    const value = plain(e, e.do.expression(e, expr, this.frame), expr.span);
    if (value.kind === 'exact') return { kind: 'number', value: value.value };
    const node = toNode(e, value, expr.span, 'f32');
    if (node.type.shape.length > 0)
      fail('OPT308', expr.span, `a claim compares numbers, but this has type ${e.typeText(node.type)}`, {
        hint: 'reduce it: max(abs(…))',
      });
    const name = `${CLAIM_PART}${e.hiddenMetrics++}`;
    e.entry.output(name, 'metric', node, expr.span);
    return { kind: 'series', run: this.run.name, name, read: { kind: 'last' }, reads: runsRead(e, node) };
  }
}
