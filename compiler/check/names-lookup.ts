/** How a name is found or refused: builtins, declarations, order of definition, and hints for what cannot be found. */
import type * as ast from '../ast/nodes.ts';
import type { DiagnosticCode } from '../diagnostics/catalog.ts';
import { error } from '../diagnostics/diagnostic.ts';
import type { Diagnostic, DiagnosticParts } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Span } from '../source/source.ts';
import { builtinValues, standardModules } from './builtins.ts';
import type { ImportResolver } from './names-imports.ts';
import { declarations, patternNames } from './names-scope.ts';
import type { Entry, EntryKind, Scope } from './names-scope.ts';

/** What the text around an expression is, as far as names depend on it. */
export interface Place {
  /** `step` and `progress` may be read. */
  readonly stepped: boolean;
  /** `k` may be read. */
  readonly counted: boolean;
  /** In the body of a layer or model. */
  readonly layered: boolean;
}

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

/** Names of other languages, and what is written here. */
const familiarNames: Record<string, string> = {
  '\u03c0': "write 'pi'",
  '\u03a3': "write 'sum(x)'",
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
  break: "write 'train until c max N { … }' or 'while c max N { … }'",
  print: "write 'report x' or 'metric m = x'",
  detach: "write 'stop(x)'",
  concatenate: "write 'concat(a, b)'",
  maximum: "write 'max(a, b)'",
  minimum: "write 'min(a, b)'",
};

export abstract class NameLookup {
  protected readonly imports: ImportResolver;
  protected readonly file: string;
  private readonly unknownNames = new Set<string>();

  constructor(imports: ImportResolver, file: string) {
    this.imports = imports;
    this.file = file;
  }

  readonly diagnostics: Diagnostic[] = [];
  /** Names of `use` that were found in use. */
  protected readonly usedImports = new Set<string>();

  protected report(code: DiagnosticCode, span: Span, message: string, parts: DiagnosticParts = {}): void {
    this.diagnostics.push(error(code, span, message, parts));
  }

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
    if (this.unknownNames.has(name)) return; // one message for each name
    this.unknownNames.add(name);
    const builtins = [...builtinValues.keys()].filter((b) => b !== 'k' && b !== 'none');
    // A series of this very name shows what is not there.
    const candidates = [...scope.visible(), ...builtins].filter((c) => c !== name);
    const shown = scope.shown(name);
    const below =
      shown && shown.span.start > span.end
        ? `only 'report ${name}' below has this name: declare the value above, or move the claim that reads it down`
        : undefined;
    const module = this.moduleWith(name);
    const hint =
      (Object.hasOwn(familiarNames, name) ? familiarNames[name] : undefined) ??
      (module ? `write 'use ${module} { ${name} }'` : (below ?? didYouMean(name, candidates))) ??
      "declare it, or take it from a module with 'use'";
    this.report('OPT201', span, `unknown name '${name}'`, { hint });
  }

  /** The standard module that declares a name, if one does. */
  private moduleWith(name: string): string | undefined {
    return standardModules.find((module) => {
      const found = this.imports(module, this.file);
      return (
        found !== undefined &&
        found !== 'unknown' &&
        found.statements.flatMap(declarations).some((e) => e.name === name)
      );
    });
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

  protected declaredAt(entry: Entry) {
    return entry.from === -1 && entry.kind === 'unknown' ? [] : [{ span: entry.span, text: 'declared here' }];
  }
}
