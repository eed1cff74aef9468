/** The element of an axis whose text is elaborated: its own rows of values over the axis, and its own parts of cells. */
import type { Node, TensorType } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import type { Axis, CellRef } from './values.ts';

/** An axis while the text of one of its elements is elaborated. */
export interface Element {
  readonly axis: Axis;
  /** Opened by a collective or an initial value, not by a map: a map over the axis in its text leaves it. */
  readonly soft: boolean;
  /** Number of the element, i32 scalar. */
  readonly index: Node;
  /** For nodes of the element, the values of all elements. */
  readonly images: Map<Node, Node>;
  /** The own row of a value over the axis, by its node. */
  readonly rows: Map<Node, Node>;
  /** The own part of cells over the axis, by the id of the cell. */
  readonly own: Map<string, CellRef>;
}

/** The own row of an array over the axis of an element. */
export function row(e: Elaboration, element: Element, array: Node): Node {
  const known = element.rows.get(array);
  if (known) return known;
  const shape = array.type.shape.slice(1);
  const zero = e.constant(0, 'i32');
  const window = e.make('dynamic_slice', [array, element.index, ...shape.map(() => zero)], { sizes: [1, ...shape] });
  const made = e.make('reshape', [window], { shape });
  element.rows.set(array, made);
  element.images.set(made, array);
  return made;
}

/** The own part of a cell over the axis of an element: a cell of the text of the element. */
export function ownCell(e: Elaboration, element: Element, cell: CellRef): CellRef {
  const known = element.own.get(cell.id);
  if (known) return known;
  const { dtype, shape } = cell.type;
  const type: TensorType = { dtype, shape: shape.slice(1) };
  const made = e.newCell({ ...cell, id: `${cell.id}@${element.axis.name}`, type, over: undefined, elementOf: cell });
  element.own.set(cell.id, made);
  e.entry.initialise(made, row(e, element, e.entry.read(cell)));
  return made;
}

/** The cell as the text that is elaborated now knows it: its own part in the text of an element of its axis. */
export function here(e: Elaboration, cell: CellRef): CellRef {
  const whole = cell.elementOf ?? cell;
  const element = whole.over && e.elements.get(whole.over);
  return element ? ownCell(e, element, whole) : cell;
}
