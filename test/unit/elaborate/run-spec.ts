/**
 * Runs a small spec without runtime and device: compiles it to a program and executes the schedule with the float64 interpreter, in the plainest
 * possible way. What the tests compare with is computed by hand or by code of their own.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DataInfo } from '../../../compiler/bundle/format.ts';
import { compile, type Compiled } from '../../../compiler/pipeline.ts';
import type { Diagnostic } from '../../../compiler/diagnostics/diagnostic.ts';
import type { Entry, Program } from '../../../compiler/ir/program.ts';
import type { NdArray, Node } from '../../../compiler/ops/types.ts';
import { Source } from '../../../compiler/source/source.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';

const root = join(import.meta.dirname, '../../..');

export interface SpecOptions {
  readonly set?: Record<string, number>;
  readonly info?: Record<string, DataInfo>;
  readonly files?: Record<string, string>;
}

/** Reads modules of stdlib/, and files given by name; each once. */
export function readLibrary(files: Record<string, string> = {}): (name: string) => Source | undefined {
  const sources = new Map<string, Source>();
  return (name) => {
    const known = sources.get(name);
    if (known) return known;
    let content = files[name] as string | undefined;
    try {
      content ??= readFileSync(join(root, 'stdlib', `${name}.opt`), 'utf8');
    } catch {
      return undefined;
    }
    const source = new Source(`${name}.opt`, content);
    sources.set(name, source);
    return source;
  };
}

/** Compiles a text; library modules come from stdlib/, relative files from `files`. */
export function tryCompile(text: string, options: SpecOptions = {}) {
  return compile(new Source('spec.opt', text), {
    readImport: readLibrary(options.files),
    dataInfo: (source) => options.info?.[source],
    set: new Map(Object.entries(options.set ?? {})),
    stage: 'program',
  });
}

export function compileSpec(text: string, options: SpecOptions = {}): Compiled {
  const result = tryCompile(text, options);
  if (!result.ok) throw new Error(result.diagnostics.map(show).join('\n'));
  return result.value;
}

function show(d: Diagnostic): string {
  return `${d.code} at ${d.span?.start}: ${d.message}`;
}

/** Errors of a text that must not compile. */
export function errorsOf(text: string, options: SpecOptions = {}): readonly Diagnostic[] {
  const result = tryCompile(text, options);
  if (result.ok) throw new Error('compiled without errors');
  return result.diagnostics.filter((d) => d.severity === 'error');
}

export function warningsOf(text: string, options: SpecOptions = {}): string[] {
  return compileSpec(text, options).diagnostics.map((d) => d.code);
}

export class Machine {
  readonly program: Program;
  readonly cells = new Map<string, NdArray>();
  /** Series by `run/name`, or `name` without runs. */
  readonly series = new Map<string, number[]>();
  /** Where solves ended before their last step, by run or problem, and why they failed. */
  readonly ends = new Map<string, { readonly step: number; readonly reason: string | undefined }>();
  private readonly data: Record<string, number[]>;
  private readonly seed: number;

  constructor(program: Program, data: Record<string, number[]> = {}, seed = 0) {
    this.program = program;
    this.data = data;
    this.seed = seed;
  }

  /** Runs the whole schedule; train phases take at most `limit` steps. */
  run(limit = Number.POSITIVE_INFINITY): this {
    for (const phase of this.program.schedule) {
      if (phase.kind === 'once') {
        this.execute(phase.entry, 0, 1, phase.run);
        continue;
      }
      const steps = Math.min(phase.steps, limit);
      const evals = (n: number, end: boolean) => {
        for (const { entry, times } of phase.evals) {
          if (times.at.includes(n) || (times.every !== undefined && n % times.every === 0) || (end && times.end))
            this.execute(entry, n, phase.steps, phase.run);
        }
      };
      evals(0, steps === 0);
      for (let step = 0; step < steps; step++) {
        const done = this.execute(phase.entry, step, phase.steps, phase.run);
        const end = phase.ends ? (done.get(phase.ends.output)?.data[0] ?? 0) : 0;
        if (end !== 0) this.ends.set(phase.run || phase.name, { step, reason: phase.ends?.reasons[end - 2] });
        if (end !== 0) break;
        evals(step + 1, step + 1 === steps);
      }
    }
    return this;
  }

  private execute(
    id: string,
    step: number,
    steps: number,
    run: string,
    inputs: Record<string, number[]> = {},
  ): Map<string, NdArray> {
    const entry = this.program.entries.find((e) => e.id === id) as Entry;
    const conditions = entry.outputs.flatMap((o) => o.when ?? []);
    const roots = [...entry.outputs.map((o) => o.value), ...entry.writes.map((w) => w.value), ...conditions];
    const values = evaluate(roots, (node) => this.leaf(node, step, steps, inputs));
    const held = values.slice(entry.outputs.length + entry.writes.length);
    entry.outputs.forEach((o, i) => {
      const taken = !o.when || held.shift()?.data[0] !== 0;
      if (o.kind === 'result' || !taken) return;
      const name = run ? `${run}/${o.name}` : o.name;
      this.series.set(name, [...(this.series.get(name) ?? []), values[i].data[0]]);
    });
    entry.writes.forEach((w, i) => this.cells.set(w.cell, values[entry.outputs.length + i]));
    return new Map(entry.outputs.map((o, i) => [o.name, values[i]]));
  }

  call(name: string, inputs: Record<string, number[]>): Map<string, NdArray> {
    const found = this.program.exports.find((e) => e.name === name);
    if (!found) throw new Error(`no export ${name}`);
    return this.execute(found.entry, 0, 1, '', inputs);
  }

  private leaf(node: Node, step: number, steps: number, inputs: Record<string, number[]>): NdArray {
    const name = node.attrs.name as string;
    const array = (data: readonly number[]): NdArray => ({ type: node.type, data: Float64Array.from(data) });
    switch (node.attrs.source) {
      case 'cell': {
        const value = this.cells.get(name);
        if (!value) throw new Error(`the cell ${name} is read before it has a value`);
        return value;
      }
      case 'data':
        return array(this.data[name]);
      case 'input':
        return array(inputs[name]);
      default:
        break;
    }
    if (name === 'seed') return array([this.seed]);
    if (name === 'step') return array([step]);
    if (name === 'steps') return array([steps]);
    if (name === 'progress') return array([step / steps]);
    const hyper = this.program.hypers.find((h) => `hyper:${h.name}` === name);
    if (!hyper) throw new Error(`unknown scalar ${name}`);
    return evaluate([hyper.value], (n) => this.leaf(n, step, steps, inputs))[0];
  }

  values(cell: string): number[] {
    const found = this.cells.get(cell);
    if (!found) throw new Error(`no cell ${cell}; there are ${[...this.cells.keys()].join(', ')}`);
    return [...found.data];
  }

  value(cell: string): number {
    return this.values(cell)[0];
  }

  /** All recorded values of a report or metric. */
  all(name: string): number[] {
    const found = this.series.get(name);
    if (!found) throw new Error(`no series ${name}; there are ${[...this.series.keys()].join(', ')}`);
    return found;
  }

  last(name: string): number {
    return this.all(name)[this.all(name).length - 1];
  }
}

export function runSpec(
  text: string,
  options: SpecOptions & { data?: Record<string, number[]>; seed?: number; limit?: number } = {},
): Machine {
  return new Machine(compileSpec(text, options).program, options.data, options.seed).run(options.limit);
}

/** Values of expressions at file level, as metrics: `{ a: 'sum([1, 2])' }`. */
export function evaluateAll(expressions: readonly string[], preamble = ''): number[] {
  const text = `${preamble}\n${expressions.map((x, i) => `metric m${i} = ${x}`).join('\n')}\n`;
  const machine = runSpec(text);
  return expressions.map((_, i) => machine.last(`m${i}`));
}
