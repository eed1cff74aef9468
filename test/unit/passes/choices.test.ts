/** Which choices become selections, and that the values stay. */
import { describe, expect, it } from 'vitest';
import { reachable } from '../../../compiler/ir/tensor/graph.ts';
import { choices } from '../../../compiler/passes/index.ts';
import type { NdArray, Node } from '../../../compiler/ops/types.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { f32 } from '../../device/programs.ts';
import { Regions } from '../../device/region-programs.ts';

/** Whether a choice is left, after checking that both ways give what they gave. */
function staysChoice(n: number, branch: (b: Regions, x: Node) => Node): boolean {
  const b = new Regions();
  const [x, p] = [b.input('x', f32(n)), b.input('p', f32())];
  const cond = b.choose(
    b.op('gt', p, b.num(0, p)),
    () => [branch(b, x)],
    () => [b.op('log', x)],
  );
  const roots = [cond.result(0), cond.taken()];
  const done = choices.run(b.g, roots);
  for (const sign of [-1, 1]) {
    const leaf = (node: Node): NdArray => ({
      type: node.type,
      data: node === p ? Float64Array.of(sign) : new Float64Array(n).map((_, i) => i - 2),
    });
    const [want, got] = [roots, done].map((list) => evaluate(list, leaf).map((r) => [...r.data]));
    expect(got).toEqual(want);
  }
  return reachable(done).some((node) => node.op === 'cond');
}

describe('choices', () => {
  it('between little work become selections, without the NaN of the other branch', () => {
    expect(staysChoice(6, (b, x) => b.op('sin', x))).toBe(false);
  });

  it('stay where a branch is long, reduces, or can fail', () => {
    expect(staysChoice(40_000, (b, x) => b.op('sin', x))).toBe(true);
    expect(staysChoice(6, (b, x) => b.spread(b.sum(x, 0), [6], []))).toBe(true);
    const index = (b: Regions): Node => b.g.dense([0, 1, 2, 3, 4, 5], { dtype: 'i32', shape: [6] });
    expect(staysChoice(6, (b, x) => b.g.make('gather', [x, index(b)], { axis: 0 }))).toBe(true);
  });
});
