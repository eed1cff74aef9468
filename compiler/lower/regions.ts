/** Loops and choices by their op. */
import type { BlockLowering } from './block.ts';
import { lowerChoice } from './choices.ts';
import type { RegionNode } from './collect.ts';
import { lowerLoop } from './loops.ts';
import type { Block } from './unit.ts';

export function lowerRegion(block: BlockLowering, region: RegionNode): Block {
  return region.node.op === 'cond' ? lowerChoice(block, region) : lowerLoop(block, region);
}
