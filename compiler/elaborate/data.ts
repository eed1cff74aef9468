/**
 * Data sets: loaded ones become `data` parameters whose rows come from the host's information about the source (or from witnesses while it is unknown);
 * generated ones are values computed once.
 */
import type * as ast from '../ast/nodes.ts';
import type { DataField, DataInfo } from '../bundle/format.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { DType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { carry } from './bindings.ts';
import type { Elaboration } from './context.ts';
import { plain, toDim, toNode } from './convert.ts';
import type { Frame } from './scope.ts';
import { dtypeOf } from './types.ts';
import { type Dataset, exact, kindText, tensor, type Value } from './values.ts';

export function dataset(e: Elaboration, decl: ast.DataDecl, frame: Frame): Dataset {
  return decl.from ? loaded(e, decl, decl.from, frame) : generated(e, decl, frame);
}

// ---------------------------------------------------------------- loaded

function loaded(e: Elaboration, decl: ast.DataDecl, from: ast.StringLit, frame: Frame): Dataset {
  const info = e.options.dataInfo(from.value, decl.name.text);
  const all = info?.rows;
  const slice = decl.rows && rowSlice(e, decl.rows, frame);
  if (slice && all !== undefined && slice[1] > all) {
    fail('OPT316', decl.rows?.span, `rows ${slice[0]}..${slice[1]} are asked for, but ${from.value} has ${all}`, {
      hint: `take at most 0..${all}`,
    });
  }
  const name = decl.name.text;
  const given = decl.fields ?? (info ? undefined : []);
  if (given?.length === 0 && !info)
    fail('OPT316', decl.span, `the fields of ${name} are not known without its file`, {
      hint: 'declare them: { x: f32[*, 784], y: i32[*] }',
    });
  const first = decl.fields?.[0]?.type.dims?.[0];
  const rows = slice
    ? slice[1] - slice[0]
    : (all ?? witness(e, first?.kind === 'name' ? first.name : `rows of ${name}`, decl.span));
  const fields = decl.fields
    ? decl.fields.map((f) => field(e, f, info, rows, frame, from.value))
    : (info as DataInfo).fields.map((f) => ({
        name: f.name,
        type: { dtype: f.dtype, shape: [rows, ...f.shape] },
        storage: f.storage,
        scale: f.scale,
      }));
  const id = uniqueData(e, name);
  e.data.push({ name: id, source: from.value, rows, slice, fields, span: decl.span });
  const reads = new Map<string, () => Value>();
  for (const f of fields) {
    const node = e.graph.at(decl.span, () => e.graph.parameter('data', `${id}.${f.name}`, f.type));
    reads.set(f.name, () => tensor(node));
  }
  return { kind: 'dataset', name, rows, fields: reads, loaded: fields, span: decl.span };
}

function uniqueData(e: Elaboration, name: string): string {
  const base = e.qualified(name);
  let id = base;
  for (let i = 1; e.data.some((d) => d.name === id); i++) id = `${base}_${i}`;
  return id;
}

function rowSlice(e: Elaboration, expr: ast.Expr, frame: Frame): readonly [number, number] {
  const range = e.do.expression(e, expr, frame);
  if (range.kind !== 'range' || range.lo.kind !== 'exact')
    fail('OPT305', expr.span, `rows are a static range, not ${kindText(range)}`, { hint: 'write "file"[0..1000]' });
  return [range.lo.value, range.lo.value + range.length];
}

function witness(e: Elaboration, name: string, span: ast.DataDecl['span']): number {
  const size = e.witnesses.fresh(name);
  if (size === undefined)
    fail('OPT506', span, 'too many sizes are unknown without the data', { hint: 'check with the data present' });
  return size;
}

function field(
  e: Elaboration,
  f: ast.DataField,
  info: DataInfo | undefined,
  rows: number,
  frame: Frame,
  source: string,
): DataField {
  const dtype: DType = dtypeOf(e, f.type.dtype);
  if (dtype !== 'f32' && dtype !== 'i32')
    fail('OPT316', f.type.span, `fields of data are f32 or i32, not ${dtype}`, { hint: 'load i32 and compare' });
  const column = f.column && e.options.text(f.column.span);
  const key = f.column?.kind === 'string' ? f.column.value : f.name.text;
  const found =
    info?.fields.find((x) => x.name === key || x.name === f.name.text) ??
    (info && info.fields.length === 1 ? info.fields[0] : undefined);
  if (info && !found && !f.column) {
    fail('OPT316', f.name.span, `${source} has no field '${f.name.text}'`, {
      hint:
        didYouMean(
          f.name.text,
          info.fields.map((x) => x.name),
        ) ?? `it has ${info.fields.map((x) => x.name).join(', ')}`,
    });
  }
  const dims = f.type.dims ?? [];
  if (dims.length === 0)
    fail('OPT316', f.type.span, `the field ${f.name.text} needs the axis of its rows`, {
      hint: `write ${f.type.dtype.text}[*]`,
    });
  const known = found ? [rows, ...found.shape] : undefined;
  if (known && known.length !== dims.length) {
    fail(
      'OPT316',
      f.type.span,
      `the field ${f.name.text} is declared with ${dims.length} axes, but ${source} has shape ${e.shapeText(known)}`,
      { hint: `declare ${dtype}[*${found?.shape.map((d) => `, ${d}`).join('') ?? ''}]` },
    );
  }
  const shape = dims.map((dim, axis) => {
    if (dim.kind === 'star') {
      if (axis > 0)
        fail('OPT316', dim.span, "only the first axis, that of the rows, may be '*'", { hint: 'give the size' });
      return rows;
    }
    const size = axis === 0 ? rows : known?.[axis];
    if (dim.kind === 'name' && frame.scope.find(dim.name) === undefined) {
      const bound = size ?? witness(e, dim.name, dim.span);
      frame.scope.set(dim.name, { kind: 'value', value: exact(bound, true), span: dim.span });
      return bound;
    }
    const wanted = toDim(e, e.do.expression(e, dim, frame), dim.span, 'a dim of a field');
    if (size !== undefined && size !== wanted && !(axis === 0 && !info)) {
      fail(
        'OPT316',
        dim.span,
        `axis ${axis} of ${f.name.text} is declared ${e.dim(wanted)}, but ${source} has ${e.dim(size)}`,
        { hint: `write ${e.dim(size)}, or another file` },
      );
    }
    return wanted;
  });
  if (found && found.dtype !== dtype && !(dtype === 'f32' && found.storage === 'u8')) {
    fail('OPT316', f.type.span, `the field ${f.name.text} is declared ${dtype}, but ${source} holds ${found.dtype}`, {
      hint: `declare ${found.dtype}`,
    });
  }
  return {
    name: f.name.text,
    type: { dtype, shape },
    storage: found?.storage ?? dtype,
    scale: found?.scale ?? 1,
    range: f.range && fieldRange(e, f.range, frame),
    column,
  };
}

function fieldRange(e: Elaboration, expr: ast.Expr, frame: Frame): readonly [number, number] {
  if (expr.kind === 'range') {
    const lo = e.do.expression(e, expr.lo, frame);
    const hi = e.do.expression(e, expr.hi, frame);
    if (lo.kind === 'exact' && hi.kind === 'exact') return [lo.value, hi.value + (expr.closed ? 1 : 0)];
  }
  fail('OPT305', expr.span, 'the range of a field is static', { hint: 'write in 0..10' });
}

// ---------------------------------------------------------------- generated

/** `data D = { x: e, y: e }`, `data T = D`, `data T = D with { y: e }`: fields computed once, where the declaration stands. */
function generated(e: Elaboration, decl: ast.DataDecl, frame: Frame): Dataset {
  const expr = decl.value;
  if (!expr)
    fail('OPT316', decl.span, 'a data set comes from a file or from a record of arrays', {
      hint: 'write data D from "…" { … } or data D = { x: … }',
    });
  const { base, changes } = parts(e, expr, frame);
  return withFields(e, decl.name, base, changes, expr.span, decl.span);
}

/** A data set made of the fields of another and of new values, which belong to the entry that is current. */
function withFields(
  e: Elaboration,
  as: ast.Name,
  base: Dataset | undefined,
  changes: ReadonlyMap<string, Value>,
  at: Span,
  span: Span,
): Dataset {
  const home = e.entry;
  const fields = new Map<string, () => Value>(base ? base.fields : []);
  let rows = base?.rows;
  for (const [name, value] of changes) {
    const node = toNode(e, value, at);
    const length = node.type.shape[0];
    if (length === undefined || (rows !== undefined && rows !== length)) {
      fail(
        'OPT316',
        at,
        `the field ${name} has ${length === undefined ? 'no rows' : `${e.dim(length)} rows`}${rows === undefined ? '' : `, but the others have ${e.dim(rows)}`}`,
        { hint: 'every field has the same first axis' },
      );
    }
    rows = length;
    const full = `${as.text}.${name}`;
    const named = tensor(e.make('name', [node], { name: full }));
    fields.set(name, () => (e.entry === home ? named : carry(e, named, home, full, as.span, as.span)));
  }
  if (rows === undefined)
    fail('OPT316', at, 'a data set needs at least one field', { hint: 'write data D = { x: … }' });
  return { kind: 'dataset', name: as.text, rows, fields, span };
}

/** `D with { y: e }` as an expression: D with some of its fields replaced or added. */
export function datasetWith(e: Elaboration, expr: ast.WithExpr, frame: Frame): Dataset {
  const { base, changes } = parts(e, expr, frame);
  const name = { text: (base as Dataset).name, span: expr.expr.span };
  return withFields(e, name, base, changes, expr.span, expr.span);
}

function parts(e: Elaboration, expr: ast.Expr, frame: Frame): { base?: Dataset; changes: ReadonlyMap<string, Value> } {
  if (expr.kind === 'with') {
    const base = e.do.expression(e, expr.expr, frame);
    const [stage] = expr.pipeline.stages;
    if (base.kind !== 'dataset' || stage?.kind !== 'record')
      fail('OPT316', expr.span, "'with' changes fields of a data set", { hint: 'write D with { y: e }' });
    const record = e.do.expression(e, stage, frame);
    return { base, changes: record.kind === 'record' ? record.fields : new Map() };
  }
  const value = plain(e, e.do.expression(e, expr, frame), expr.span);
  if (value.kind === 'dataset') return { base: value, changes: new Map() };
  if (value.kind !== 'record')
    fail('OPT316', expr.span, `a data set is a record of arrays, not ${kindText(value)}`, {
      hint: 'write { x: …, y: … }',
    });
  return { changes: value.fields };
}
