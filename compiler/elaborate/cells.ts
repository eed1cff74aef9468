/**
 * Cells: `var`, `frozen`, parameters and states of layers, local variables of a step. A persistent cell gets its initial value in the
 * entry that runs before its first use; a local variable is born at each execution and keeps nothing.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { CellKind } from '../ir/program.ts';
import type { Node, TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration, RunContext } from './context.ts';
import { broadcastTo, leaves, plain, rebuild, toNode } from './convert.ts';
import { axisOf, forEach } from './axes.ts';
import { draw } from './random.ts';
import type { Frame } from './scope.ts';
import { siteName } from '../ast/sites.ts';
import { staticType, storageOf } from './types.ts';
import { type Axis, type CellRef, type CellValue, isCompound, tensor, type Value } from './values.ts';

/** Initial value as written, of the declared type where there is one. `indices`: of the loops in which the cell begins again and again. */
export function initialValue(
  e: Elaboration,
  decl: ast.CellDecl,
  type: TensorType | undefined,
  frame: Frame,
  site: readonly string[],
  indices: readonly Node[] = [],
): Value {
  const init = decl.init;
  if (!init)
    fail('OPT321', decl.span, `${decl.word} ${decl.name.text} has no initial value`, {
      hint: `write = 0, or ~ normal after its type`,
    });
  if (init.kind === 'draw') return draw(e, init.draw, type, site, { ...frame, indices });
  const value = plain(e, e.do.expression(e, init.expr, frame), init.expr.span);
  if (!type) return value;
  if (isCompound(value)) {
    fail(
      'OPT310',
      init.expr.span,
      `${decl.name.text} is declared ${e.typeText(type)}, but its initial value is a tree`,
      {
        labels: [{ span: decl.type?.span ?? decl.span, text: 'declared here' }],
        hint: 'leave the type off: it follows from the value',
      },
    );
  }
  return tensor(fit(e, toNode(e, value, init.expr.span, type.dtype), type, init.expr.span, decl));
}

/** A node of the declared type; scalars are repeated. */
function fit(e: Elaboration, node: Node, type: TensorType, span: Span, decl: ast.CellDecl): Node {
  const scalar = node.type.shape.length === 0;
  const same = node.type.shape.length === type.shape.length && node.type.shape.every((d, i) => d === type.shape[i]);
  if (node.type.dtype !== type.dtype || !(scalar || same)) {
    fail(
      'OPT310',
      span,
      `${decl.name.text} is declared ${e.typeText(type)}, but its initial value has type ${e.typeText(node.type)}`,
      {
        labels: [{ span: decl.type?.span ?? decl.span, text: `${e.typeText(type)} is declared here` }],
        hint: 'the initial value must have the declared type, or be one number',
      },
    );
  }
  return broadcastTo(e, node, type.shape);
}

export interface CellPlace {
  readonly kind: CellKind;
  readonly id: string;
  readonly label: string;
  readonly group: string;
  readonly run: string;
  readonly storage?: 'f16';
  readonly persistent: boolean;
  readonly livesWith?: string;
  readonly over?: Axis;
  readonly span: Span;
}

/** Makes the cells for a value (one, or one per leaf of a tree) and initialises them in the current entry. */
export function cellsFor(e: Elaboration, value: Value, place: CellPlace, span: Span): CellValue {
  const parts = leaves(e, value, span);
  const nodes = parts.map((l) => toNode(e, l.value, span));
  const cells = parts.map((l, i) => {
    const cell: CellRef = e.newCell({
      id: l.path === '' ? place.id : `${place.id}.${l.path}`,
      label: l.path === '' ? place.label : `${place.label}.${l.path}`,
      type: nodes[i].type,
      storage: place.storage,
      kind: place.kind,
      group: place.group,
      run: place.run,
      span: place.span,
      persistent: place.persistent,
      livesWith: place.livesWith,
      over: place.over,
    });
    e.entry.initialise(cell, nodes[i]);
    return cell;
  });
  return { kind: 'cell', cells, like: rebuild(e, value, nodes, span) };
}

/**
 * The initial value of a cell; of one over an axis for all elements. `make` gets the frame and, of an element, its number among the indices that key draws.
 * An initial value that is over the axis already is taken as it is.
 */
export function overAxis(
  e: Elaboration,
  axis: Axis | undefined,
  frame: Frame,
  span: Span,
  make: (frame: Frame, indices: readonly Node[]) => Value,
): Value {
  if (!axis) return make(frame, []);
  return forEach(e, axis, frame, span, (inner, index) => make(inner, [index])).value;
}

/** A `var` or `frozen` declaration outside phases, for one run; its initial value is computed before its first use. */
export function declaredCell(e: Elaboration, decl: ast.CellDecl, frame: Frame, owner: RunContext): CellValue {
  if (decl.word === 'param' || decl.word === 'state') {
    fail('OPT424', decl.span, `${decl.word} belongs in a layer or model${decl.word === 'state' ? ' or rule' : ''}`, {
      hint: 'use var here',
    });
  }
  const name = `${decl.name.text}${frame.turn ?? ''}`;
  return e.within(e.entry.init, () => {
    const axis = decl.over && axisOf(e, decl.over, frame);
    const type = decl.type && staticType(e, decl.type, frame, true);
    const value = overAxis(e, axis, frame, decl.span, (inner, indices) =>
      initialValue(e, decl, type, inner, [...frame.path, siteName(decl)], indices),
    );
    return cellsFor(
      e,
      value,
      {
        kind: decl.word === 'frozen' ? 'frozen' : 'var',
        id: e.qualifiedBy(owner.name, name),
        label: name,
        group: e.qualifiedBy(owner.name, name),
        run: owner.name,
        storage: storageOf(decl),
        persistent: true,
        over: axis,
        span: decl.name.span,
      },
      decl.span,
    );
  });
}

/** A `var` inside a phase: born at each execution. */
export function localVariable(e: Elaboration, decl: ast.CellDecl, frame: Frame): CellValue {
  const axis = decl.over && axisOf(e, decl.over, frame);
  const type = decl.type && staticType(e, decl.type, frame);
  const value = overAxis(e, axis, frame, decl.span, (inner, indices) =>
    initialValue(e, decl, type, inner, [...frame.path, siteName(decl)], [...frame.indices, ...indices]),
  );
  const born = cellsFor(e, value, { ...localPlace(e, decl, frame), over: axis }, decl.span);
  for (const cell of born.cells) e.births.set(cell.id, frame.scope);
  return born;
}

function localPlace(e: Elaboration, decl: ast.CellDecl, frame: Frame): CellPlace {
  const id = `${e.qualified([...frame.path, siteName(decl)].join('.'))}@${e.nextLocal++}`;
  return {
    kind: 'var',
    id,
    label: decl.name.text,
    group: id,
    run: e.run.name,
    persistent: false,
    span: decl.name.span,
  };
}
