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
import { Build, f32, i32 } from './programs.ts';

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

/** Turns within turns within turns, that end where they like: steps of a number to 1 (Collatz, 1937), those of the next one from there. */
export function nestedLoops(b: Regions, most: number): Node {
  const x = b.input('x', f32());
  const num = (v: number): Node => b.num(v, x);
  const one = num(1);
  const outer = b.repeat(
    60,
    [x, num(0)],
    (_, [start, done]) => {
      const inner = b.repeat(
        most,
        [start, done],
        (_, [v, n]) => {
          const half = b.op('floor', b.op('mul', v, num(0.5)));
          const odd = b.op('sub', v, b.op('add', half, half));
          const up = b.op('add', b.op('mul', v, num(3)), one);
          const next = b.op('add', b.op('mul', odd, up), b.op('mul', b.op('sub', one, odd), half));
          const twice = b.repeat(4, [n], (_, [m]) => ({ carries: [b.op('add', m, num(0.25))] }));
          return { carries: [next, twice.carry(0)] };
        },
        { cond: (_, [v]) => b.op('gt', v, one) },
      );
      return { carries: [b.op('add', start, num(3)), inner.carry(1)] };
    },
    { cond: (_, [start]) => b.op('lt', start, num(28)) },
  );
  return outer.carry(1);
}
