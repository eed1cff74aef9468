/**
 * Builds one branch of a kernel. Values are placed in the outermost open loop in which all that they depend on is known (loop-invariant motion
 * by construction), and equal expressions of one place are made once. Code of an outer place can still be written while inner loops are
 * open (`atDepth`): it comes to stand before them.
 */
import type { Attrs, DType } from '../../ops/types.ts';
import { InternalError } from '../../diagnostics/diagnostic.ts';
import {
  addIndex,
  ix,
  laneOf,
  lanePattern,
  ofAtom,
  ofVariable,
  scaleIndex,
  visitAtoms,
  type IndexExpr,
  type IndexVar,
} from './index-expr.ts';
import type { Branch, Carry, Expression, Statement, ValueId, View, Width } from './kernel.ts';

export interface Value {
  readonly id: ValueId;
  readonly dtype: DType;
  readonly width: Width;
}

interface Block {
  readonly statements: Statement[];
  readonly memo: Map<string, Value>;
}

export class BranchBuilder {
  private blocks: Block[] = [{ statements: [], memo: new Map() }];
  private readonly varDepth = new Map<number, number>();
  private readonly values = new Map<ValueId, { value: Value; depth: number; block: Block; expr?: Expression }>();
  private nextId = 0;
  private nextVar = 0;
  private laneVariable: IndexVar | undefined;
  /** Loads are made at this depth or deeper: 1 in a loop that only one invocation runs through, so that the others read nothing. */
  loadFloor = 0;
  readonly group: IndexVar;
  readonly local: IndexVar;

  /** `groups` workgroups of `workgroup` invocations. */
  constructor(groups: number, workgroup: number) {
    this.group = this.variable(groups, 0);
    this.local = this.variable(workgroup, 0);
  }

  /** Depth of the place where code is written now: 0 outside all loops. */
  get depth(): number {
    return this.blocks.length - 1;
  }

  /** A variable known from `depth` on (the present depth by default). */
  variable(extent: number, depth: number = this.depth, lane = false): IndexVar {
    const v: IndexVar = { kind: 'var', id: this.nextVar++, extent, lane };
    this.varDepth.set(v.id, depth);
    return v;
  }

  /** The component 0..3 of a vector: an index that contains it stands for four. */
  lane(): IndexVar {
    this.laneVariable ??= this.variable(4, 0, true);
    return this.laneVariable;
  }

  depthOfIndex(e: IndexExpr): number {
    let depth = 0;
    visitAtoms(e, (a) => {
      const d = a.kind === 'var' ? this.varDepth.get(a.id) : a.kind === 'value' ? this.values.get(a.value)?.depth : 0;
      if (d === undefined) throw new InternalError(`kernel builder: index ${e.key} uses an atom that is not defined`);
      depth = Math.max(depth, d);
    });
    return depth;
  }

  /** Writes code at an outer depth, before the inner loops that are open now. */
  atDepth<T>(depth: number, body: () => T): T {
    const inner = this.blocks.splice(depth + 1);
    try {
      return body();
    } finally {
      this.blocks = [...this.blocks.slice(0, depth + 1), ...inner];
    }
  }

  constant(value: number, dtype: DType): Value {
    return this.emit({ kind: 'constant', value }, dtype, 1);
  }

  op(op: string, args: readonly Value[], dtype: DType, attrs: Attrs = {}, shape?: readonly number[]): Value {
    const width = args.some((a) => a.width === 4) ? 4 : 1;
    const expr: Expression = {
      kind: 'op',
      op,
      args: args.map((a) => a.id),
      inputs: args.map((a) => a.dtype),
      attrs,
      shape,
    };
    return this.emit(expr, dtype, width);
  }

  mad(a: Value, b: Value, c: Value): Value {
    const width = [a, b, c].some((v) => v.width === 4) ? 4 : 1;
    return this.emit({ kind: 'mad', args: [a.id, b.id, c.id] }, c.dtype, width);
  }

  index(index: IndexExpr): Value {
    return this.emit({ kind: 'index', index }, 'i32', laneOf(index) ? 4 : 1);
  }

  inside(index: IndexExpr, lo: number, hi: number): Value {
    if (index.lo >= lo && index.hi <= hi) return this.constant(1, 'bool');
    if (index.hi < lo || index.lo > hi) return this.constant(0, 'bool');
    return this.emit({ kind: 'inside', index, lo, hi }, 'bool', laneOf(index) ? 4 : 1);
  }

  clamp(of: Value, lo: number, hi: number): Value {
    return this.emit({ kind: 'clamp', of: of.id, lo, hi }, 'i32', of.width);
  }

  load(view: View, index: IndexExpr): Value {
    const at = this.inTensor(view, index);
    const pattern = lanePattern(at);
    return this.emit({ kind: 'load', view, index: at }, view.dtype, pattern.kind === 'same' ? 1 : 4);
  }

  /** An index in a view of rows as one in the whole tensor. */
  private inTensor({ rows = [] }: View, index: IndexExpr): IndexExpr {
    const starts = rows.map(({ at, length, count }) => {
      const row = this.clamp(this.load(at, ix(0)), 0, count - 1);
      return scaleIndex(ofAtom({ kind: 'value', value: row.id, lo: 0, hi: count - 1 }), length);
    });
    return addIndex(index, ...starts);
  }

  component(of: Value, component: number): Value {
    if (of.width === 1) return of;
    const expr = this.values.get(of.id)?.expr;
    if (expr?.kind === 'vector') return (this.values.get(expr.of[component]) as { value: Value }).value;
    return this.emit({ kind: 'component', of: of.id, component }, of.dtype, 1);
  }

  vector(of: readonly Value[]): Value {
    return this.emit({ kind: 'vector', of: of.map((v) => v.id) }, of[0].dtype, 4);
  }

  shuffle(of: Value, component: number, lane: number): Value {
    return this.emit({ kind: 'shuffle', of: of.id, component, lane }, of.dtype, 1);
  }

  /** Value of a constant, if it is one. */
  constantOf(v: Value): number | undefined {
    const expr = this.values.get(v.id)?.expr;
    return expr?.kind === 'constant' ? expr.value : undefined;
  }

  /** One of several values, chosen by an index in 0..of.length-1. */
  pick(of: readonly Value[], index: IndexExpr): Value {
    const array = this.emit({ kind: 'array', of: of.map((v) => v.id) }, of[0].dtype, of[0].width);
    return this.emit({ kind: 'pick', of: array.id, length: of.length, index }, of[0].dtype, of[0].width);
  }

  /** Whether a value may be used at the present place. */
  visible(v: Value): boolean {
    const info = this.values.get(v.id);
    return info !== undefined && this.blocks[info.depth] === info.block;
  }

  store(view: View, index: IndexExpr, value: Value): void {
    if (value.dtype !== view.dtype)
      throw new InternalError(`store of ${value.dtype} into ${view.dtype} ${view.tensor}`);
    this.push({ kind: 'store', view, index: this.inTensor(view, index), value: value.id });
  }

  /** Records fault `number`, and the value that is to blame, where `ok` is false. */
  fault(ok: Value, number: number, value: Value): void {
    const depth = (this.values.get(ok.id) as { depth: number }).depth;
    const block = this.blocks[depth];
    const key = `fault ${ok.id} ${number}`;
    if (block.memo.has(key)) return;
    block.memo.set(key, ok);
    block.statements.push({ kind: 'fault', ok: ok.id, number, value: value.id });
  }

  /**
   * A loop at the present place. `body` gets the variable and the carried values and returns their next values.
   * Results are the carried values after the loop.
   */
  loop(
    extent: number,
    start: IndexExpr,
    step: number,
    init: readonly Value[],
    body: (variable: IndexVar, carried: Value[]) => readonly Value[],
  ): Value[] {
    const variable = this.variable(extent, this.depth + 1);
    const block = this.open();
    const carried = init.map((v) => this.fresh(v.dtype, v.width, this.depth));
    const next = body(variable, carried);
    this.close(block);
    const carries: Carry[] = carried.map((c, k) => ({
      id: c.id,
      dtype: c.dtype,
      width: c.width,
      init: init[k].id,
      next: next[k].id,
    }));
    this.push({ kind: 'loop', variable, start, step, carries, body: block.statements });
    for (const c of carried) this.values.set(c.id, { value: c, depth: this.depth, block: this.blocks[this.depth] });
    return carried;
  }

  /** Runs body only where 0 <= index < extent; the index it gets is known to lie there. No test is made where that is certain. */
  within(index: IndexExpr, extent: number, body: (inside: IndexExpr) => void): void {
    if (index.lo >= 0 && index.hi < extent) return body(index);
    const variable = this.variable(extent, this.depth + 1);
    const block = this.open();
    body(ofVariable(variable));
    this.close(block);
    this.push({ kind: 'within', variable, index, body: block.statements });
  }

  finish(): Branch {
    if (this.depth !== 0) throw new InternalError('kernel builder: a loop was left open');
    return { group: this.group, local: this.local, body: this.blocks[0].statements };
  }

  private emit(expr: Expression, dtype: DType, width: Width): Value {
    const depth = this.depthOfExpr(expr);
    const block = this.blocks[depth];
    if (!block) throw new InternalError(`kernel builder: ${expr.kind} belongs at depth ${depth}, which is not open`);
    const key = expressionKey(expr, dtype);
    const had = block.memo.get(key);
    if (had) return had;
    const value = this.fresh(dtype, width, depth, expr);
    block.memo.set(key, value);
    block.statements.push({ kind: 'let', id: value.id, dtype, width, expr });
    return value;
  }

  private fresh(dtype: DType, width: Width, depth: number, expr?: Expression): Value {
    const value: Value = { id: this.nextId++, dtype, width };
    this.values.set(value.id, { value, depth, block: this.blocks[depth], expr });
    return value;
  }

  private depthOfExpr(expr: Expression): number {
    const ids =
      expr.kind === 'op' || expr.kind === 'mad'
        ? expr.args
        : expr.kind === 'vector' || expr.kind === 'array'
          ? expr.of
          : expr.kind === 'clamp' || expr.kind === 'component' || expr.kind === 'shuffle' || expr.kind === 'pick'
            ? [expr.of]
            : [];
    let depth = 0;
    for (const id of ids) depth = Math.max(depth, (this.values.get(id) as { depth: number }).depth);
    if ('index' in expr) depth = Math.max(depth, this.depthOfIndex(expr.index));
    if (expr.kind === 'load') depth = Math.max(depth, this.loadFloor);
    return depth;
  }

  private open(): Block {
    const block: Block = { statements: [], memo: new Map() };
    this.blocks = [...this.blocks, block];
    return block;
  }

  private close(block: Block): void {
    if (this.blocks[this.blocks.length - 1] !== block)
      throw new InternalError('kernel builder: loops closed out of order');
    this.blocks = this.blocks.slice(0, -1);
  }

  private push(s: Statement): void {
    this.blocks[this.depth].statements.push(s);
  }
}

function expressionKey(e: Expression, dtype: DType): string {
  switch (e.kind) {
    case 'constant':
      return `${Object.is(e.value, -0) ? '-0' : e.value}:${dtype}`;
    case 'op':
      return `${e.op}(${e.args.join()})${JSON.stringify(e.attrs)}:${dtype}`;
    case 'mad':
      return `mad(${e.args.join()})`;
    case 'index':
      return `index ${e.index.key}`;
    case 'load':
      return `${e.view.tensor}[${e.index.key}]`;
    case 'inside':
      return `${e.lo}<=${e.index.key}<=${e.hi}`;
    case 'clamp':
      return `clamp ${e.of} ${e.lo} ${e.hi}`;
    case 'component':
      return `${e.of}.${e.component}`;
    case 'vector':
      return `[${e.of.join()}]`;
    case 'pick':
      return `pick ${e.of} ${e.index.key}`;
    case 'array':
      return `array ${e.of.join()}`;
    case 'shuffle':
      return `shuffle ${e.of}.${e.component} ${e.lane}`;
  }
}
