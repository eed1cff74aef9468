/**
 * Scopes of names: what each body declares, and how a name is found. A scope holds its declarations from the start; values and cells
 * count only below their statement, templates everywhere, and from inside the body of a template (which runs later) everything does.
 */
import type * as ast from '../ast/nodes.ts';
import type { Span } from '../source/source.ts';

export type EntryKind =
  | 'let' | 'sample' | 'cell' | 'frozen' | 'dim' | 'hyper' | 'axis' | 'data' | 'batch' | 'fn' | 'layer' | 'model' | 'rule' | 'estimator' | 'aggregator'
  | 'solver' | 'class' | 'set' | 'problem' | 'trial' | 'run' | 'objective' | 'constraint' | 'player' | 'variable' | 'param' | 'bound' | 'metric' | 'report'
  | 'phase' | 'unknown'; // prettier-ignore

export interface Entry {
  readonly name: string;
  readonly kind: EntryKind;
  /** Where the name is declared. */
  readonly span: Span;
  /** Offset in this file from which it may be used in its own scope; -1: everywhere. */
  readonly from: number;
  /** Parameters of a template, where they are known. */
  readonly params?: readonly ast.Param[];
  /** For parameters, the kind written. */
  readonly paramKind?: ast.ParamKind;
  /** Members of families may be declared by several statements. */
  readonly family?: boolean;
  /** The series of `report x`, which shows a value of that name and defines none. */
  readonly shows?: boolean;
}

export class Scope {
  readonly parent: Scope | undefined;
  /** A body that runs later than the text around it: order is not checked across it. */
  readonly deferred: boolean;
  readonly entries = new Map<string, Entry>();
  /** Metrics and reports, readable by claims; a namespace of its own, since `report loss` names a value as well. */
  readonly series = new Map<string, Entry>();

  constructor(parent?: Scope, deferred = false) {
    this.parent = parent;
    this.deferred = deferred;
  }

  /** This scope and those around it, innermost first. */
  private *outward(): Iterable<Scope> {
    yield this;
    if (this.parent) yield* this.parent.outward();
  }

  /** Adds a declaration; returns the one of the same name that is in the way, if any. */
  declare(entry: Entry): Entry | undefined {
    const earlier = this.entries.get(entry.name);
    if (earlier && !(earlier.family && entry.family)) return earlier;
    if (!earlier) this.entries.set(entry.name, entry);
    return undefined;
  }

  /** Finds a name for a use at `offset`. `later` is a declaration that comes too late for it. */
  find(name: string, offset: number): { entry?: Entry; later?: Entry } {
    let late: Entry | undefined;
    let ordered = true;
    for (const scope of this.outward()) {
      for (const names of [scope.entries, scope.series]) {
        const entry = names.get(name);
        if (!entry) continue;
        if (!ordered || entry.from <= offset) return { entry };
        if (!entry.shows) late ??= entry;
      }
      if (scope.deferred) ordered = false;
    }
    return { later: late };
  }

  /** The report that shows a value of this name, for hints. */
  shown(name: string): Entry | undefined {
    for (const scope of this.outward()) {
      const entry = scope.series.get(name);
      if (entry?.shows) return entry;
    }
    return undefined;
  }

  /** All names that can be seen from here, for hints. */
  *visible(): Iterable<string> {
    for (const scope of this.outward()) {
      yield* scope.entries.keys();
      yield* scope.series.keys();
    }
  }
}

/** Names bound by a pattern. */
export function patternNames(pattern: ast.Pattern): ast.Name[] {
  return pattern.kind === 'bind' ? [pattern.name] : pattern.items.flatMap(patternNames);
}

/** Parameters that are still open after a (partial) call with these arguments. */
export function openParams(
  params: readonly ast.Param[] | undefined,
  args: readonly ast.Arg[],
): readonly ast.Param[] | undefined {
  if (!params) return undefined;
  const named = new Set(args.flatMap((a) => (a.name ? [a.name.text] : [])));
  const unnamed = args.filter((a) => !a.name).length;
  return params.filter((p) => !named.has(p.name.text)).slice(unnamed);
}

/** What a statement declares in the scope that it stands in. Series of `eval`, `train` and loops are added by `declareSeries`. */
export function declarations(stmt: ast.Stmt): Entry[] {
  const after = stmt.span.end;
  const one = (kind: EntryKind, name: ast.Name, from = after, rest: Partial<Entry> = {}): Entry[] => [
    { name: name.text, kind, span: name.span, from, ...rest },
  ];
  switch (stmt.kind) {
    case 'dim':
    case 'hyper':
    case 'axis':
      return one(stmt.kind, stmt.name, -1);
    case 'data':
      return [...one('data', stmt.name), ...dataDims(stmt)];
    case 'cell':
      return one(stmt.word === 'frozen' ? 'frozen' : 'cell', stmt.name);
    case 'layer':
    case 'model':
    case 'rule':
    case 'estimator':
    case 'aggregator':
    case 'solver':
    case 'problem':
    case 'set':
      return one(stmt.kind, stmt.name, -1, { params: stmt.params });
    case 'class':
      return one('class', stmt.name, -1);
    case 'modelInstance':
      return one('model', stmt.name, -1, { family: stmt.member !== undefined });
    case 'fn':
      return one('fn', stmt.name, -1, { params: stmt.params });
    case 'export':
      return one('fn', stmt.fn.name, -1, { params: stmt.fn.params });
    case 'trial':
      return one('trial', stmt.name, -1, stmt.body ? { params: stmt.params } : {});
    case 'run':
      return one('run', stmt.name, after, { family: stmt.member !== undefined });
    case 'let':
      return patternNames(stmt.pattern).flatMap((name) => one('let', name));
    case 'letMember':
      return one('let', stmt.name, after, { family: true });
    case 'sample':
    case 'batch':
      return one(stmt.kind, stmt.name);
    case 'train':
      return stmt.name ? one('phase', stmt.name) : [];
    case 'for':
      // families, models and runs of a static loop can be read by index behind it
      return stmt.body.statements
        .filter(outlivesLoop)
        .flatMap((s) => declarations(s).map((e) => ({ ...e, from: Math.min(e.from, stmt.span.start), family: true })));
    case 'over':
      // without a type and a first value it names a model or variable that is there already
      return stmt.type || stmt.init ? one('variable', stmt.name, -1) : [];
    case 'objective':
      return stmt.name ? one('objective', stmt.name, -1) : [];
    case 'constraint':
      return stmt.name ? one('constraint', stmt.name, -1) : [];
    case 'lowerLevel':
      return stmt.body.statements
        .filter((s) => ['over', 'objective', 'constraint', 'lowerLevel'].includes(s.kind))
        .flatMap(declarations);
    case 'player':
      return one('player', stmt.name, -1);
    default:
      return [];
  }
}

/** Whether a statement of a static loop declares something that is read behind the loop. */
export function outlivesLoop(stmt: ast.Stmt): boolean {
  return (
    stmt.kind === 'letMember' ||
    stmt.kind === 'run' ||
    stmt.kind === 'for' ||
    (stmt.kind === 'modelInstance' && stmt.member !== undefined)
  );
}

/** Whether a file has trials or runs; without, it is one run itself. */
export function declaresRuns(statements: readonly ast.Stmt[]): boolean {
  return statements.some(
    (s) => s.kind === 'run' || s.kind === 'trial' || (s.kind === 'for' && declaresRuns(s.body.statements)),
  );
}

/** Dims that a data file binds: plain names in its types that start the example axis or others. */
function dataDims(stmt: ast.DataDecl): Entry[] {
  const dims = (stmt.fields ?? []).flatMap((field) => field.type.dims ?? []);
  return dims.flatMap((dim) =>
    dim.kind === 'name' ? [{ name: dim.name, kind: 'dim' as const, span: dim.span, from: -1, family: true }] : [],
  );
}
