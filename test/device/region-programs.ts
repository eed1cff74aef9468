/** Programs with loops and choices, built by hand for the tests of lowering. */
import {
  closeRegions,
  type CondParts,
  type LoopParts,
  makeCond,
  makeLoop,
  regionParameter,
  rowType,
} from '../../compiler/ir/tensor/regions.ts';
import type { Node, TensorType } from '../../compiler/ops/types.ts';
import { Build, i32 } from './programs.ts';

/** A program under construction, with what loops and branches need. */
export class Regions extends Build {
  repeat(
    max: number,
    start: readonly Node[],
    body: (
      i: Node,
      carries: readonly Node[],
      rows: readonly Node[],
    ) => { carries: readonly Node[]; ys?: readonly Node[] },
    more: {
      xs?: readonly Node[];
      count?: Node;
      reversed?: boolean;
      cond?: (i: Node, carries: readonly Node[]) => Node;
    } = {},
  ): LoopParts {
    const { g } = this;
    const marker = g.nextId;
    const params = (types: readonly TensorType[]): Node[] => types.map((type) => regionParameter(g, 'p', type));
    const own = params([i32(), ...start.map((n) => n.type), ...(more.xs ?? []).map((n) => rowType(n.type))]);
    const made = body(own[0], own.slice(1, 1 + start.length), own.slice(1 + start.length));
    const asked = params([i32(), ...start.map((n) => n.type)]);
    const conditions = more.cond ? [{ params: asked, results: [more.cond(asked[0], asked.slice(1))] }] : [];
    const whole = { params: own, results: [...made.carries, ...(made.ys ?? [])] };
    const { regions, consts } = closeRegions(g, marker, [whole, ...conditions]);
    const { count, xs = [], reversed } = more;
    return makeLoop(g, { count, carries: start, xs, consts, max, reversed, body: regions[0], cond: regions[1] });
  }

  choose(predicate: Node, taken: () => readonly Node[], otherwise: () => readonly Node[]): CondParts {
    const marker = this.g.nextId;
    const sides = [taken, otherwise].map((side) => ({ params: [], results: side() }));
    const { regions, consts } = closeRegions(this.g, marker, sides);
    return makeCond(this.g, predicate, consts, [regions[0], regions[1]]);
  }

  int(value: number): Node {
    return this.g.constant(value, i32());
  }
}
