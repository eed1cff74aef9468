/** What an entry means: all reads before all writes, whatever the kernels; and which kernels are merged. */
import { describe, expect, it } from 'vitest';
import type { Program } from '../../../compiler/ir/program.ts';
import type { DType, Node } from '../../../compiler/ops/types.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { Build, cell, f32, i32, mlpProgram, program } from '../../device/programs.ts';
import { interpretEntry } from './interpret-program.ts';

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const ramp = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + ((i * 7) % 11) / 8 - 0.5);

/** Writes of cells as functions of the old values; compared with the reference. */
function checkWrites(
  shapes: Record<string, readonly number[]>,
  writes: (b: Build, old: Record<string, Node>) => Record<string, Node>,
  group?: string,
): { dispatches: number } {
  const b = new Build();
  const cells = Object.entries(shapes).map(([id, shape]) => cell(id, f32(...shape), group ?? id));
  const old = Object.fromEntries(cells.map((c) => [c.id, b.g.parameter('cell', c.id, c.type)]));
  const made = writes(b, old);
  const p: Program = program(b.g, {
    cells,
    entries: [
      { id: 'main', writes: Object.entries(made).map(([id, value]) => ({ cell: id, value })), outputs: [], inputs: [] },
    ],
  });
  const before = Object.fromEntries(cells.map((c, k) => [c.id, ramp(count(c.type.shape), k)]));
  const got = interpretEntry(p, 'main', { cells: before });
  const want = evaluate(Object.values(made), (n) => ({
    type: n.type,
    data: Float64Array.from(before[n.attrs.name as string]),
  }));
  Object.keys(made).forEach((id, k) => {
    got.cells[id].forEach((v, i) => expect(v, `${id}[${i}]`).toBeCloseTo(want[k].data[i], 9));
  });
  for (const c of cells) if (!(c.id in made)) expect(got.cells[c.id]).toEqual(before[c.id]);
  return got;
}

describe('cells', () => {
  it('are swapped', () => {
    checkWrites({ a: [5], b: [5] }, (_, { a, b }) => ({ a: b, b: a }));
  });

  it('rotate among three with arithmetic on the way', () => {
    checkWrites({ a: [3, 4], b: [3, 4], c: [3, 4] }, (b, o) => ({
      a: b.op('add', o.b, o.c),
      b: b.op('mul', o.c, o.a),
      c: b.op('sub', o.a, o.b),
    }));
  });

  it('become their own transpose', () => {
    checkWrites({ a: [6, 6] }, (b, { a }) => ({ a: b.g.make('permute', [a], { axes: [1, 0] }) }));
  });

  it('are multiplied by a matrix in place', () => {
    checkWrites({ a: [12, 16], w: [16, 16] }, (b, { a, w }) => ({ a: b.matmul(a, w), w: b.op('mul', w, b.num(2, w)) }));
  });

  it('are normalized by a reduction over themselves', () => {
    checkWrites({ a: [40, 8] }, (b, { a }) => ({
      a: b.op('div', a, b.spread(b.sum(b.op('mul', a, a), 0, 1), [40, 8], [])),
    }));
    checkWrites({ a: [40, 8] }, (b, { a }) => ({ a: b.op('sub', a, b.spread(b.sum(a, 1), [40, 8], [0])) }));
    checkWrites({ a: [40, 8] }, (b, { a }) => ({ a: b.op('sub', a, b.spread(b.sum(a, 0), [40, 8], [1])) }));
  });

  it('receive one value twice', () => {
    checkWrites({ a: [7], b: [7] }, (b, { a }) => {
      const v = b.op('add', a, b.num(1, a));
      return { a: v, b: v };
    });
  });

  it('are cumulated and sorted in place', () => {
    checkWrites({ a: [5, 6] }, (b, { a }) => ({ a: b.g.make('cumsum', [a], { axis: 0, reverse: true }) }));
    checkWrites({ a: [5, 6] }, (b, { a }) => ({ a: b.g.make('sort', [a], { axis: 1, descending: true }) }));
  });

  it('are set to a constant', () => {
    checkWrites({ a: [5], b: [2, 3] }, (b, { a, b: c }) => ({ a: b.num(3, a), b: b.num(-1, c) }));
  });
});

describe('horizontal fusion', () => {
  it('makes one kernel of one update over many leaves', () => {
    const shapes = { a: [8, 8], b: [8], c: [3, 5], d: [5], e: [2] };
    const got = checkWrites(
      shapes,
      (b, o) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, b.op('mul', v, b.num(0.5, v))])),
      'net',
    );
    expect(got.dispatches).toBe(1);
  });

  it('keeps kernels apart that wait for each other through a third', () => {
    // The update of b needs the sum of the new a, so that one code over both would have to run twice.
    checkWrites(
      { a: [8, 8], b: [8, 8] },
      (b, o) => {
        const half = (x: Node): Node => b.op('sin', b.op('mul', x, b.num(0.5, x)));
        const first = half(o.a);
        const product = b.matmul(first, o.b);
        return { a: first, b: half(product) };
      },
      'net',
    );
  });

  it('leaves out cells between those that are written', () => {
    const shapes = { a: [8, 8], b: [8], c: [3, 5], d: [5] };
    checkWrites(shapes, (b, { a, c, d }) => ({ a: b.op('neg', a), c: b.op('neg', c), d: b.op('neg', d) }), 'net');
  });
});

describe('run-time indices', () => {
  const dtype: DType = 'i32';
  const indexProgram = (op: (b: Build, x: Node, i: Node) => Node): Program => {
    const b = new Build();
    const x = b.input('x', f32(6, 4));
    const i = b.input('i', i32(3));
    return program(b.g, {
      entries: [
        {
          id: 'main',
          writes: [],
          inputs: [
            { name: 'x', type: f32(6, 4) },
            { name: 'i', type: { dtype, shape: [3] } },
          ],
          outputs: [{ name: 'r', kind: 'result', value: op(b, x, i) }],
        },
      ],
    });
  };
  const gather = (b: Build, x: Node, i: Node): Node => b.g.make('gather', [x, i], { axis: 0 });

  it('raise a fault where they are out of range, and none where they are not', () => {
    const p = indexProgram(gather);
    const x = ramp(24);
    expect(interpretEntry(p, 'main', { inputs: { x, i: [0, 5, 2] } }).faults).toEqual([]);
    for (const bad of [-1, 6, 1000]) {
      const { faults } = interpretEntry(p, 'main', { inputs: { x, i: [0, bad, 2] } });
      expect(faults).toHaveLength(1);
      expect(faults[0]).toBe('index {index} is out of range: the axis has 6 elements');
    }
  });
});

describe('the network of the benchmark', () => {
  it('computes the same through its kernels in float64', () => {
    const { program: p, cells } = mlpProgram({ sizes: [12, 8, 6, 4], batch: 6, rows: 10 });
    const before = Object.fromEntries(
      cells.map((c, k) => [c.id, ramp(count(c.type.shape), k / 3).map((v) => (c.id.endsWith('v') ? Math.abs(v) : v))]),
    );
    const data = {
      'train.x': Array.from({ length: 120 }, (_, i) => (i * 37) % 256),
      'train.y': Array.from({ length: 10 }, (_, i) => i % 4),
    };
    const scalars = { seed: 9, step: 3, steps: 10, hyper: () => 0.1 };
    for (const limits of [{ class: 'software' as const, subgroups: 8 }, {}]) {
      const got = interpretEntry(p, 'main' in p ? 'main' : 'step', { cells: before, data, scalars }, limits);
      const entry = p.entries[0];
      const want = evaluate(
        entry.writes.map((w) => w.value),
        (n) => {
          const name = n.attrs.name as string;
          if (n.attrs.source === 'cell') return { type: n.type, data: Float64Array.from(before[name]) };
          if (name === 'train.x') return { type: n.type, data: Float64Array.from(data['train.x'], (v) => v / 255) };
          if (name === 'train.y') return { type: n.type, data: Float64Array.from(data['train.y']) };
          const value = { seed: 9, step: 3, 'hyper:lr': 0.1 }[name] as number;
          return { type: n.type, data: Float64Array.of(value) };
        },
      );
      entry.writes.forEach((w, k) =>
        got.cells[w.cell].forEach((v, i) => expect(v, `${w.cell}[${i}]`).toBeCloseTo(want[k].data[i], 9)),
      );
    }
  });
});
