/** The kernel verifier refuses what could go wrong, and the interpreter notices what did: bounds, scope, races. */
import { describe, expect, it } from 'vitest';
import { BranchBuilder } from '../../../compiler/ir/kernel/builder.ts';
import { addIndex, ix, ofAtom, ofVariable, scaleIndex } from '../../../compiler/ir/kernel/index-expr.ts';
import { interpretKernel } from '../../../compiler/ir/kernel/interpret.ts';
import type { Kernel, View } from '../../../compiler/ir/kernel/kernel.ts';
import { verifyKernel } from '../../../compiler/ir/kernel/verify.ts';

const view = (tensor: string, size: number): View => ({ tensor, dtype: 'f32', storage: 'word', scale: 1, size });

/** y[f(i)] = x[g(i)] for all i of 16, on two workgroups of four. */
function copy(from: (i: ReturnType<typeof ix>) => ReturnType<typeof ix>, to: typeof from, size = 16): Kernel {
  const b = new BranchBuilder(2, 4);
  const start = addIndex(scaleIndex(ofAtom(b.group), 4), ofAtom(b.local));
  b.loop(16, start, 8, [], (i) => {
    b.store(view('y', size), to(ofVariable(i)), b.load(view('x', 16), from(ofVariable(i))));
    return [];
  });
  return { workgroup: 4, branches: [b.finish()], subgroups: false };
}

const same = (i: ReturnType<typeof ix>): ReturnType<typeof ix> => i;
const memory = () => {
  const data = { x: Float64Array.from({ length: 16 }, (_, i) => i), y: new Float64Array(16) };
  return { data, place: (t: string) => ({ data: data[t as 'x' | 'y'], offset: 0 }) };
};

describe('the kernel verifier', () => {
  it('accepts and runs a copy', () => {
    const kernel = copy(same, same);
    expect(verifyKernel(kernel)).toEqual([]);
    const m = memory();
    interpretKernel(kernel, m.place);
    expect([...m.data.y]).toEqual([...m.data.x]);
  });

  it('refuses indices that may leave a view', () => {
    expect(verifyKernel(copy((i) => addIndex(i, ix(1)), same))[0]).toContain('size 16');
    expect(verifyKernel(copy((i) => addIndex(i, ix(-1)), same))[0]).toContain('-1..14');
    expect(verifyKernel(copy(same, same, 12))[0]).toContain('store of y');
  });

  it('refuses variables out of scope, and run-time indices that are not clamped', () => {
    const b = new BranchBuilder(1, 1);
    const x = b.load(view('x', 16), ix(0));
    const raw = { kind: 'value' as const, value: x.id, lo: 0, hi: 3 };
    b.store(view('y', 16), ofAtom(raw), x);
    expect(verifyKernel({ workgroup: 1, branches: [b.finish()], subgroups: false })[0]).toContain('not a clamped one');
    const good = copy(same, same);
    const loop = good.branches[0].body[0];
    if (loop.kind !== 'loop') throw new Error('a loop was expected');
    const outside: Kernel = { ...good, branches: [{ ...good.branches[0], body: loop.body }] };
    expect(verifyKernel(outside).join()).toContain('out of scope');
  });
});

describe('the kernel interpreter', () => {
  it('reports two invocations that write one element', () => {
    expect(() =>
      interpretKernel(
        copy(same, () => ix(0)),
        memory().place,
      ),
    ).toThrow('race on y[0]');
  });

  it('reports an invocation that reads what another one writes', () => {
    const m = memory();
    const shared = (): { data: Float64Array; offset: number } => ({ data: m.data.x, offset: 0 });
    expect(() =>
      interpretKernel(
        copy((i) => addIndex(ix(15), scaleIndex(i, -1)), same),
        shared,
      ),
    ).toThrow('race');
  });

  it('stops at an access outside its view', () => {
    expect(() =>
      interpretKernel(
        copy((i) => addIndex(i, ix(1)), same),
        memory().place,
      ),
    ).toThrow('outside its 16 elements');
  });
});
