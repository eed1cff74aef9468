/**
 * The op table: every primitive by name. Docs, tests, autodiff, passes and lowering read it; nothing else knows what a primitive means.
 * To add an elementwise primitive, write one record in `elementwise-unary.ts` or `elementwise-binary.ts`: the tests find it here.
 */
import { InternalError } from '../diagnostics/diagnostic.ts';
import { barrierOps } from './barrier.ts';
import { contractionOps } from './contraction.ts';
import { cumulativeOps } from './cumulative.ts';
import { dynamicSliceOps } from './dynamic-slice.ts';
import { binaryOps } from './elementwise-binary.ts';
import { unaryOps } from './elementwise-unary.ts';
import { factorOps } from './factor.ts';
import { faultOps } from './fault.ts';
import { indexOps } from './index.ts';
import { loopOps } from './loop.ts';
import { randomOps } from './random.ts';
import { randomWordOps } from './random-words.ts';
import { reduceOps } from './reduce.ts';
import { shapeOps } from './shape.ts';
import { sortOps } from './sort.ts';
import { sourceOps } from './source.ts';
import type { OpDef } from './types.ts';
import { windowOps } from './windows.ts';

const table = {
  ...sourceOps,
  ...unaryOps,
  ...binaryOps,
  ...faultOps,
  ...reduceOps,
  ...cumulativeOps,
  ...shapeOps,
  ...contractionOps,
  ...windowOps,
  ...factorOps,
  ...indexOps,
  ...dynamicSliceOps,
  ...sortOps,
  ...randomOps,
  ...randomWordOps,
  ...barrierOps,
  ...loopOps,
};

export type OpName = keyof typeof table;

/** All records, in the order of the reference page. */
export const ops: readonly OpDef[] = Object.values(table);

const records: ReadonlyMap<string, OpDef> = new Map(Object.entries<OpDef>(table));

export function isOp(name: string): name is OpName {
  return records.has(name);
}

/** The record of a primitive; an unknown name is a bug of the compiler. */
export function op(name: string): OpDef {
  const record = records.get(name);
  if (!record) throw new InternalError(`there is no primitive '${name}'`);
  return record;
}
