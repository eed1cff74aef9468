/**
 * Kernel IR to WGSL text: flat `let`s, one per value, and structured loops. Views become offsets into bound buffers. A buffer that the kernel
 * ever touches by four elements is declared as an array of vec4 and single elements of it are reached by component.
 */
import { op as opOf } from '../ops/table.ts';
import type { DType } from '../ops/types.ts';
import { InternalError } from '../diagnostics/diagnostic.ts';
import {
  addIndex,
  atLane,
  divIndex,
  ix,
  laneOf,
  lanePattern,
  modIndex,
  type IndexExpr,
} from '../ir/kernel/index-expr.ts';
import {
  flagsOf,
  walk,
  type Branch,
  type Expression,
  type Kernel,
  type Statement,
  type View,
  type Width,
} from '../ir/kernel/kernel.ts';
import { indexText } from './index-text.ts';
import { literal } from './literals.ts';
import { names } from './names.ts';
import { writeStages } from './stages.ts';
import { decodeWord, encodeWord } from './words.ts';

/** Where a view lies: bound buffer (by number), offset in elements (a multiple of four), element type of the buffer. */
export interface Location {
  readonly binding: number;
  readonly offset: number;
  readonly word: 'f32' | 'u32';
}

export interface WgslInput {
  readonly kernel: Kernel;
  readonly locate: (view: View) => Location;
  /** Access of each bound buffer, in order; 'faults' is an atomic word. */
  readonly bindings: readonly { readonly access: 'read' | 'read_write'; readonly word: 'f32' | 'u32' | 'faults' }[];
  readonly faultBinding: number;
  /** Workgroups in x; more than one row of them where the total exceeds a dimension's limit. */
  readonly groupsX: number;
  readonly folded: boolean;
  /** Keeps drivers from unrolling short loops: right where code size is dear (software devices, wgsl-limits.md 0.5). */
  readonly opaqueBounds: boolean;
  /**
   * The kernel makes as many executions as there are workgroups, one after the other in the first of them: elements of a slot of each ring, by binding. The rings are bound from
   * the slot of the first execution on.
   */
  readonly slots?: ReadonlyMap<number, number>;
}

/** Longest loop that a driver might unroll. */
const MAX_UNROLLED = 128;

export function emitWgsl(input: WgslInput): string {
  const emitter = new Emitter(input);
  return emitter.module();
}

const isVectorAccess = (view: View, index: IndexExpr): boolean =>
  view.storage === 'word' && lanePattern(index).kind === 'vector';

class Emitter {
  private readonly input: WgslInput;
  private readonly functions = new Set<string>();
  private readonly lines: string[] = [];
  private readonly vectorBindings = new Set<number>();
  private readonly widths = new Map<number, Width>();

  constructor(input: WgslInput) {
    this.input = input;
    walk(input.kernel, (s) => {
      if (s.kind === 'store' && isVectorAccess(s.view, s.index)) this.vectorBindings.add(input.locate(s.view).binding);
      if (s.kind !== 'let') return;
      this.widths.set(s.id, s.width);
      const e = s.expr;
      if (e.kind === 'load' && isVectorAccess(e.view, e.index)) this.vectorBindings.add(input.locate(e.view).binding);
    });
  }

  module(): string {
    const { kernel, bindings } = this.input;
    const g = names.groupNumber;
    let first = 0;
    if (this.input.slots) this.executions(this.input.slots);
    else if (kernel.sequence) this.stages(1);
    else
      for (const branch of kernel.branches) {
        const last = first + branch.group.extent;
        this.widths.clear();
        this.line(
          1,
          kernel.branches.length > 1 || this.input.folded ? `if (${g} >= ${first} && ${g} < ${last}) {` : '{',
        );
        this.line(2, `let ${names.index(branch.group.id)} = ${first ? `${g} - ${first}` : g};`);
        this.line(2, `let ${names.index(branch.local.id)} = i32(${names.local});`);
        if (branch.gate) {
          this.line(2, `if (${this.word(this.input.locate(branch.gate), ix(0))} != 0u) {`);
          this.block(branch.body, 3);
          this.line(2, '}');
        } else this.block(branch.body, 2);
        this.line(1, '}');
        first = last;
      }
    const head: string[] = kernel.subgroups ? ['enable subgroups;'] : [];
    bindings.forEach((b, k) => {
      const element = b.word === 'faults' ? 'atomic<u32>' : this.vectorBindings.has(k) ? `vec4<${b.word}>` : b.word;
      head.push(`@group(0) @binding(${k}) var<storage, ${b.access}> ${names.binding(k)}: array<${element}>;`);
    });
    if (flagsOf(kernel.sequence).length > 0 || kernel.budget) head.push(`var<workgroup> ${names.flag}: u32;`);
    const fold = this.input.folded ? ` + i32(${names.workgroup}.y) * ${this.input.groupsX}` : '';
    return [
      ...head,
      ...this.functions,
      `@compute @workgroup_size(${kernel.workgroup})`,
      `fn ${names.entryPoint}(@builtin(workgroup_id) ${names.workgroup}: vec3<u32>, @builtin(local_invocation_index) ${names.local}: u32${this.input.slots ? `, @builtin(num_workgroups) ${names.workgroups}: vec3<u32>` : ''}) {`,
      `  let ${g} = i32(${names.workgroup}.x)${fold};`,
      ...(this.input.opaqueBounds ? [`  let ${names.zero} = i32(${names.workgroup}.z);`] : []),
      ...this.lines,
      '}',
      '',
    ].join('\n');
  }

  /** The stages once for each execution. The other workgroups do nothing: their number is how the host says how many executions there are. */
  private executions(slots: ReadonlyMap<number, number>): void {
    const n = names.execution;
    this.line(1, `if (${names.workgroup}.x != 0u) { return; }`);
    this.line(1, `for (var ${n} = 0; ${n} < i32(${names.workgroups}.x); ${n}++) {`);
    for (const [k, elements] of slots) this.line(2, `let ${names.slot(k)} = ${n} * ${elements};`);
    this.stages(2);
    this.line(1, '}');
  }

  /** Where the slot of this execution begins, as something to add to an index; `by`: elements that the index counts. */
  private slot(binding: number, by: 1 | 4 = 1): string {
    if (!this.input.slots?.has(binding)) return '';
    return by === 1 ? ` + ${names.slot(binding)}` : ` + ${names.slot(binding)} / 4`;
  }

  private stages(depth: number): void {
    writeStages(
      this.input.kernel,
      {
        line: (at, text) => this.line(at, text),
        word: (view) => this.word(this.input.locate(view), ix(0)),
        branch: (k, at) => this.stageBranch(this.input.kernel.branches[k], at),
        bound: (n) => (this.input.opaqueBounds ? `${n} + ${names.zero}` : String(n)),
      },
      depth,
    );
  }

  private stageBranch(branch: Branch, depth: number): void {
    this.widths.clear();
    const group = names.index(branch.group.id);
    const gate = branch.gate ? `if (${this.word(this.input.locate(branch.gate), ix(0))} != 0u) ` : '';
    this.line(depth, `${gate}{`);
    this.line(depth + 1, `let ${names.index(branch.local.id)} = i32(${names.local});`);
    if (branch.group.extent === 1) {
      this.line(depth + 1, `let ${group} = 0;`);
      this.block(branch.body, depth + 1);
    } else {
      this.line(depth + 1, `for (var ${group} = 0; ${group} < ${branch.group.extent}; ${group}++) {`);
      this.block(branch.body, depth + 2);
      this.line(depth + 1, '}');
    }
    this.line(depth, '}');
  }

  private line(depth: number, text: string): void {
    this.lines.push('  '.repeat(depth) + text);
  }

  private block(body: readonly Statement[], depth: number): void {
    for (const s of body) this.statement(s, depth);
  }

  private statement(s: Statement, depth: number): void {
    switch (s.kind) {
      case 'let':
        this.widths.set(s.id, s.width);
        this.line(
          depth,
          `${s.expr.kind === 'array' ? 'var' : 'let'} ${names.value(s.id)} = ${this.expression(s.expr, s.dtype, s.width)};`,
        );
        return;
      case 'store':
        this.store(s.view, s.index, s.value, depth);
        return;
      case 'fault': {
        this.fault(s, depth);
        return;
      }
      case 'within': {
        const i = names.index(s.variable.id);
        this.line(depth, `let ${i} = ${indexText(s.index)};`);
        const low = s.index.lo < 0 ? `${i} >= 0 && ` : '';
        this.line(depth, `if (${low}${i} < ${s.variable.extent}) {`);
        this.block(s.body, depth + 1);
        this.line(depth, '}');
        return;
      }
      case 'loop': {
        const i = names.index(s.variable.id);
        for (const c of s.carries) {
          this.widths.set(c.id, c.width);
          this.line(depth, `var ${names.value(c.id)} = ${this.widened(c.init, c.width, c.dtype)};`);
        }
        const short = this.input.opaqueBounds && s.variable.extent <= MAX_UNROLLED * s.step;
        const extent = short ? `${s.variable.extent} + ${names.zero}` : String(s.variable.extent);
        this.line(depth, `for (var ${i} = ${indexText(s.start)}; ${i} < ${extent}; ${i} += ${s.step}) {`);
        this.block(s.body, depth + 1);
        for (const c of s.carries) {
          this.line(depth + 1, `let ${names.next(c.id)} = ${this.widened(c.next, c.width, c.dtype)};`);
        }
        for (const c of s.carries) this.line(depth + 1, `${names.value(c.id)} = ${names.next(c.id)};`);
        this.line(depth, '}');
        return;
      }
    }
  }

  /** A value's name, spread where a vector is wanted. */
  private widened(id: number, width: Width, dtype: DType): string {
    const name = names.value(id);
    return width === 4 && this.widths.get(id) !== 4 ? `vec4<${dtype}>(${name})` : name;
  }

  private component(id: number, k: number): string {
    return this.widths.get(id) === 4 ? `${names.value(id)}.${'xyzw'[k]}` : names.value(id);
  }

  private expression(e: Expression, dtype: DType, width: Width): string {
    switch (e.kind) {
      case 'constant': {
        const { text, functions } = literal(e.value, dtype);
        functions.forEach((f) => this.functions.add(f));
        return text;
      }
      case 'op':
        return this.op(e, dtype, width);
      case 'mad': {
        const [a, b, c] = e.args.map((id) => this.widened(id, width, dtype));
        return dtype === 'f32' ? `fma(${a}, ${b}, ${c})` : `${a} * ${b} + ${c}`;
      }
      case 'index':
        return this.perLane(e.index, width, 'i32', (i) => indexText(i));
      case 'inside':
        return this.perLane(e.index, width, 'bool', (i) => this.inside(i, e.lo, e.hi));
      case 'load':
        return this.load(e.view, e.index, width);
      case 'clamp': {
        const type = width === 4 ? 'vec4<i32>' : 'i32';
        return `clamp(${names.value(e.of)}, ${type}(${e.lo}), ${type}(${e.hi}))`;
      }
      case 'component':
        return this.component(e.of, e.component);
      case 'vector':
        return `vec4<${dtype}>(${e.of.map(names.value).join(', ')})`;
      case 'array': {
        const type = width === 4 ? `vec4<${dtype}>` : dtype;
        return `array<${type}, ${e.of.length}>(${e.of.map((id) => this.widened(id, width, dtype)).join(', ')})`;
      }
      case 'pick':
        return `${names.value(e.of)}[${indexText(e.index)}]`;
      case 'shuffle':
        return `subgroupShuffle(${this.component(e.of, e.component)}, ${e.lane}u)`;
    }
  }

  /** Tests are joined by `&`, not `&&`: each of those is a branch to the driver, and SwiftShader does not end compiling a kernel with hundreds of them. */
  private inside(e: IndexExpr, lo: number, hi: number): string {
    const text = indexText(e);
    const tests = [...(e.lo < lo ? [`${text} >= ${lo}`] : []), ...(e.hi > hi ? [`${text} <= ${hi}`] : [])];
    return tests.length > 1
      ? `(${tests.map((t) => `(${t})`).join(' & ')})`
      : tests.length === 1
        ? `(${tests[0]})`
        : 'true';
  }

  private op(e: Extract<Expression, { kind: 'op' }>, dtype: DType, width: Width): string {
    const { lower } = opOf(e.op);
    if (lower.family !== 'elementwise' && lower.family !== 'indexed') throw new InternalError(`no WGSL for ${e.op}`);
    const { wgsl } = lower;
    wgsl.functions?.forEach((f) => this.functions.add(f));
    const dtypes = { inputs: e.inputs, output: dtype };
    if (width === 1) return wgsl.expr(e.args.map(names.value), dtypes, e.attrs);
    if (wgsl.vector) {
      const args = e.args.map((id, k) => this.widened(id, 4, e.inputs[k]));
      return wgsl.expr(args, dtypes, e.attrs);
    }
    const parts = [0, 1, 2, 3].map((k) =>
      wgsl.expr(
        e.args.map((id) => this.component(id, k)),
        dtypes,
        e.attrs,
      ),
    );
    return `vec4<${dtype}>(${parts.join(', ')})`;
  }

  private perLane(e: IndexExpr, width: Width, type: DType, text: (e: IndexExpr) => string): string {
    if (width === 1) return text(e);
    return `vec4<${type}>(${[0, 1, 2, 3].map((k) => text(atLane(e, k))).join(', ')})`;
  }

  // ---------------------------------------------------------------- memory

  /** The word that holds an element (of a scalar access). */
  private word(at: Location, e: IndexExpr): string {
    const name = names.binding(at.binding);
    const position = addIndex(e, ix(at.offset));
    if (!this.vectorBindings.has(at.binding)) return `${name}[${indexText(position)}${this.slot(at.binding)}]`;
    return `${name}[${indexText(divIndex(position, 4))}${this.slot(at.binding, 4)}][${indexText(modIndex(position, 4))}]`;
  }

  private load(view: View, index: IndexExpr, width: Width): string {
    const at = this.input.locate(view);
    const pattern = lanePattern(index);
    if (view.storage === 'u8') return this.loadBytes(view, at, index);
    if (pattern.kind === 'vector') {
      const quad = divIndex(addIndex(pattern.base, ix(at.offset)), 4);
      return decodeWord(
        `${names.binding(at.binding)}[${indexText(quad)}${this.slot(at.binding, 4)}]`,
        at.word,
        view.dtype,
        4,
      );
    }
    if (width === 1) return decodeWord(this.word(at, index), at.word, view.dtype, 1);
    const parts = [0, 1, 2, 3].map((k) => decodeWord(this.word(at, atLane(index, k)), at.word, view.dtype, 1));
    return `vec4<${view.dtype}>(${parts.join(', ')})`;
  }

  private loadBytes(view: View, at: Location, index: IndexExpr): string {
    const scale = view.scale === 1 ? '' : ` * ${view.dtype}(${literal(view.scale, 'f32').text})`;
    const words: Location = { ...at, offset: at.offset / 4 };
    const pattern = lanePattern(index);
    if (pattern.kind === 'vector') {
      const word = this.word(words, divIndex(pattern.base, 4));
      const bytes = `(vec4<u32>(${word}) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u)`;
      return `vec4<${view.dtype}>(${bytes})${scale}`;
    }
    const one = (e: IndexExpr): string => {
      const word = this.word(words, divIndex(e, 4));
      return `${view.dtype}((${word} >> (8u * u32(${indexText(modIndex(e, 4))}))) & 255u)`;
    };
    if (!laneOf(index)) return one(index) + scale;
    return `vec4<${view.dtype}>(${[0, 1, 2, 3].map((k) => one(atLane(index, k))).join(', ')})${scale}`;
  }

  /** Word 0 takes the greatest number of a fault, word n the greatest value (as bits) that raised fault n: the same whatever the order of lanes. */
  private fault(s: Extract<Statement, { kind: 'fault' }>, depth: number): void {
    const { faultBinding } = this.input;
    const [ok, value] = [names.value(s.ok), names.value(s.value)];
    const word = (k: number): string => `&${names.binding(faultBinding)}[${k}]`;
    const raise = (at: string): string =>
      `if (!${ok}${at}) { atomicMax(${word(0)}, ${s.number}u); atomicMax(${word(s.number)}, bitcast<u32>(${value}${this.widths.get(s.value) === 4 ? at : ''})); }`;
    if (this.widths.get(s.ok) === 4) for (const lane of ['.x', '.y', '.z', '.w']) this.line(depth, raise(lane));
    else this.line(depth, raise(''));
  }

  private store(view: View, index: IndexExpr, value: number, depth: number): void {
    const at = this.input.locate(view);
    const pattern = lanePattern(index);
    if (pattern.kind === 'vector') {
      const quad = divIndex(addIndex(pattern.base, ix(at.offset)), 4);
      const text = encodeWord(this.widened(value, 4, view.dtype), at.word, view.dtype, 4);
      this.line(depth, `${names.binding(at.binding)}[${indexText(quad)}${this.slot(at.binding, 4)}] = ${text};`);
    } else if (pattern.kind === 'same') {
      this.line(depth, `${this.word(at, index)} = ${encodeWord(this.component(value, 0), at.word, view.dtype, 1)};`);
    } else {
      for (let k = 0; k < 4; k++) {
        const text = encodeWord(this.component(value, k), at.word, view.dtype, 1);
        this.line(depth, `${this.word(at, atLane(index, k))} = ${text};`);
      }
    }
  }
}
