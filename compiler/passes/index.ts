/** The passes over tensor graphs, in order. Dead nodes need no pass: a graph is what its roots reach. */
import { alias } from './alias.ts';
import { batchedDot } from './batched-dot.ts';
import { choices } from './choices.ts';
import { cse } from './cse.ts';
import { dot } from './dot.ts';
import { fold } from './fold.ts';
import { hoist } from './hoist.ts';
import { keys } from './keys.ts';
import { mergeLoops } from './merge-loops.ts';
import { ownParams } from './own-params.ts';
import type { Pass } from './pass.ts';
import { regions } from './regions.ts';
import { simplify } from './simplify.ts';

export { extractHost, type HostPart } from './host.ts';
export { definePass, type Pass, runPasses } from './pass.ts';
export { alias, batchedDot, choices, cse, dot, fold, hoist, keys, mergeLoops, ownParams, regions, simplify };

/** All of them keep values up to rounding, and may run only when every derivative has been taken (`alias` ends that phase). */
export const tensorPasses: readonly Pass[] = [
  alias, // first: barriers would hide patterns from every pass below
  ownParams, // before all that looks into regions
  regions, // what derivatives of loops and branches carry around for nobody; before simplify, which then meets constants inside
  simplify, // before fold: reads of constants are clearer without casts and broadcasts in between
  fold, // constants made by derivative rules: 2 * 1, casts of dims
  cse, // merges what differentiation wrote twice, so that the next pass sees shared transposes once
  mergeLoops, // after cse, which makes equal what loops begin with
  keys, // before hoist and cse: parts of keys that turns share are made once
  hoist,
  regions, // what a merged loop has twice, and captures that moved code no longer reads
  choices, // after hoist, which takes costly code out of branches; before simplify, which sees through the selections
  simplify,
  cse,
  batchedDot, // before dot, which gives contractions their form
  dot, // absorbs the permutes that the rule of dot_general leaves
  simplify, // the reshapes that `dot` made meet those around it
  cse, // equal reshapes of equal operands
];
