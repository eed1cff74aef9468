/** Loops and choices through their kernels in float64, against the reference: random programs with their derivatives, and what single forms must do. */
import { describe, expect, it } from 'vitest';
import { grad, jvp, vectorize } from '../../../compiler/autodiff/index.ts';
import { compileProgram, prepareProgram } from '../../../compiler/emit/bundle.ts';
import type { Program } from '../../../compiler/ir/program.ts';
import { Graph } from '../../../compiler/ir/tensor/graph.ts';
import type { DeviceProfile } from '../../../compiler/lower/profile.ts';
import type { NdArray, Node } from '../../../compiler/ops/types.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { cell, f32, i32, program, resultsProgram } from '../../device/programs.ts';
import { nestedLoops, Regions } from '../../device/region-programs.ts';
import { randomControl, vector } from '../../fuzz/random-control.ts';
import { seededRng } from '../../fuzz/rng.ts';
import { interpretEntry, type Interpreted } from './interpret-program.ts';

const PARAMS = 2;

const ramp = (n: number, scale = 1): number[] =>
  Array.from({ length: n }, (_, i) => scale * (((i * 7) % 11) / 8 - 0.6));
const profiles: Partial<DeviceProfile>[] = [
  {},
  { class: 'software', subgroups: 8 },
  { sequences: false },
  { class: 'software', subgroups: 8, sequences: false },
  // So little work a launch that loops within loops end and go on somewhere in the middle.
  { maxWork: 700 },
];

/** Runs the results of a program of inputs through its kernels and compares them with the reference. */
function check(
  p: Program,
  inputs: Record<string, readonly number[]>,
  limits: Partial<DeviceProfile> = {},
): Interpreted {
  const got = interpretEntry(p, 'main', { inputs }, limits);
  const { outputs } = p.entries[0];
  const leaf = (n: Node): NdArray => ({ type: n.type, data: Float64Array.from(inputs[n.attrs.name as string]) });
  const want = evaluate(
    outputs.map((o) => o.value),
    leaf,
  );
  outputs.forEach((o, k) =>
    want[k].data.forEach((x, i) => expect(got.outputs[o.name][i], `${o.name}[${i}]`).toBeCloseTo(x, 9)),
  );
  return got;
}

describe('random nested loops and branches', () => {
  const compare = (seed: number, depth: number, limits: Partial<DeviceProfile>): void => {
    const graph = new Graph();
    const rng = seededRng(seed);
    const draw = (): number[] => vector.shape.flatMap((n) => Array.from({ length: n }, () => rng.normal()));
    const params = Array.from({ length: PARAMS }, (_, i) => graph.parameter('input', `p${i}`, vector));
    const inputs = Object.fromEntries(params.map((p) => [p.attrs.name as string, draw()]));
    const y = randomControl(seed, PARAMS, depth).regions(graph, params);
    const { values } = grad(graph, y, params);
    const tangents = params.map((p) => graph.constant(0.5, p.type));
    const results: Record<string, Node> = { y, along: jvp(graph, [y], params, tangents).values[0] };
    values.forEach((g, i) => (results[`g${i}`] = g));
    const types = Object.fromEntries(params.map((p) => [p.attrs.name as string, vector]));
    check(resultsProgram(graph, types, results), inputs, limits);
  };

  it('and their derivatives are the same through kernels', { timeout: 240_000 }, () => {
    for (let seed = 0; seed < 24; seed++) for (const limits of profiles) compare(seed, seed % 3, limits);
  });

  it('for many elements at once, with gradients and their derivatives', { timeout: 240_000 }, () => {
    const n = 5;
    for (const seed of [0, 1, 2, 3, 33, 83, 113]) {
      const graph = new Graph();
      const rng = seededRng(seed);
      const draw = (size: number): number[] => Array.from({ length: size }, () => rng.normal());
      const params = ['p', 'q'].map((name) => graph.parameter('input', name, vector));
      const many = graph.parameter('input', 'many', f32(n, ...vector.shape));
      const y = randomControl(seed, PARAMS, 1 + (seed % 2)).regions(graph, params);
      const first = grad(graph, y, params).values;
      const along = graph.make('reduce_sum', [graph.make('sin', [first[0]])], { axes: [0] });
      const results: Record<string, Node> = { second: grad(graph, along, params).values[0] };
      const mapped = vectorize(graph, [y, first[0]], new Map([[params[0], many]]), n);
      mapped.forEach((node, k) => (results[`v${k}`] = node));
      const p = resultsProgram(graph, { p: vector, q: vector, many: many.type }, results);
      check(p, { p: draw(3), q: draw(3), many: draw(3 * n) }, profiles[seed % profiles.length]);
    }
  });

  it('do so where mistakes have been: rows of rows, blocks of tensors that overlap, one value for two states', () => {
    for (const seed of [28, 95, 117]) for (const limits of profiles) compare(seed, 1 + (seed % 2), limits);
  });
});

describe('loops', () => {
  it('multiply matrices, turn after turn, and stack what they have', () => {
    for (const limits of profiles) {
      const b = new Regions();
      const [x, w] = [b.input('x', f32(12, 16)), b.input('w', f32(5, 16, 16))];
      const loop = b.repeat(
        5,
        [x],
        (_, [h], [wt]) => {
          const next = b.op('tanh', b.matmul(h, wt));
          return { carries: [next], ys: [h, b.sum(next, 1)] };
        },
        { xs: [w] },
      );
      const results = { h: loop.carry(0), before: loop.ys(0), sums: loop.ys(1) };
      const p = resultsProgram(b.g, { x: x.type, w: w.type }, results);
      check(p, { x: ramp(12 * 16), w: ramp(5 * 256, 0.4) }, limits);
    }
  });

  it('of any number of turns are launches of bounded work, that go on where the last one stopped', () => {
    const steps = (maxWork: number | undefined, most = 300): Interpreted => {
      const b = new Regions();
      const p = resultsProgram(b.g, { x: f32() }, { steps: nestedLoops(b, most) });
      return check(p, { x: [7] }, { maxWork });
    };
    // 16 + 6 + 13 + 9 + 19 + 10 + 23 turns of 7, 10, 13, 16 → 4, 19, 22, 25.
    const whole = steps(undefined);
    for (const maxWork of [3_000, 40_000, 41_234]) {
      const cut = steps(maxWork);
      expect(cut.outputs).toEqual(whole.outputs);
      expect(cut.dispatches).toBeGreaterThan(whole.dispatches);
    }
    expect(whole.dispatches).toBeLessThanOrEqual(3);
  });

  it('of a hundred million turns at most are few launches', () => {
    const b = new Regions();
    const p = resultsProgram(b.g, { x: f32() }, { steps: nestedLoops(b, 500_000) });
    const { entries } = prepareProgram(p);
    const repeats = entries[0].lowered.steps.filter((s) => s.kind === 'repeat');
    expect(entries[0].lowered.steps.length).toBeLessThanOrEqual(5);
    expect(repeats).toHaveLength(1);
    expect(repeats[0].turns).toBeLessThan(2000);
    expect(repeats[0].flag).toBeDefined();
  });

  it('need no counter where nobody reads it: one launch for each turn, or one for all', () => {
    const b = new Regions();
    const x = b.input('x', f32(40));
    const loop = b.repeat(7, [x], (_, [h]) => ({ carries: [b.op('sin', b.op('mul', h, b.num(1.5, h)))] }));
    const p = resultsProgram(b.g, { x: x.type }, { h: loop.carry(0), turns: loop.turns() });
    // The first value and the number of turns, seven turns, the result.
    expect(check(p, { x: ramp(40) }, { sequences: false }).dispatches).toBe(9);
    // All turns in one launch.
    expect(check(p, { x: ramp(40) }).dispatches).toBe(3);
  });

  it('of one turn count nothing', () => {
    for (const sequences of [true, false]) {
      const b = new Regions();
      const [x, w] = [b.input('x', f32(7)), b.input('w', f32(1, 7))];
      const loop = b.repeat(
        1,
        [x],
        (i, [h], [row]) => {
          const next = b.op('mul', b.op('sin', h), b.op('add', row, b.spread(b.cast(i, 'f32'), [7], [])));
          return { carries: [next], ys: [h, b.sum(next, 0)] };
        },
        { xs: [w] },
      );
      const results = { h: loop.carry(0), before: loop.ys(0), sums: loop.ys(1), turns: loop.turns() };
      const p = resultsProgram(b.g, { x: x.type, w: w.type }, results);
      check(p, { x: ramp(7), w: ramp(7, 2) }, { sequences });
      expect(compileProgram(p, { limits: { sequences } }).buffers.some((b) => b.id === 'control')).toBe(false);
    }
  });

  it('swap and rotate what they carry', () => {
    const b = new Regions();
    const list = ['x', 'y', 'z'].map((name) => b.input(name, f32(9)));
    const loop = b.repeat(4, list, (_, [x, y, z]) => ({ carries: [y, b.op('add', z, x), x] }));
    const p = resultsProgram(
      b.g,
      { x: f32(9), y: f32(9), z: f32(9) },
      { x: loop.carry(0), y: loop.carry(1), z: loop.carry(2) },
    );
    check(p, { x: ramp(9), y: ramp(9, 2), z: ramp(9, 3) });
  });

  it('stop by a condition, leave the rows after it zero, and raise no faults in turns that do not happen', () => {
    const b = new Regions();
    const [x, table] = [b.input('x', f32(6)), b.input('table', f32(3))];
    const loop = b.repeat(
      8,
      [x],
      (i, [h]) => {
        // Row i of a table of three: out of range from turn 3 on, which the condition excludes.
        const entry = b.g.make('gather', [table, i], { axis: 0 });
        const next = b.op('add', h, b.spread(entry, [6], []));
        return { carries: [next], ys: [next] };
      },
      { cond: (i) => b.op('lt', i, b.int(3)) },
    );
    const results = { h: loop.carry(0), ys: loop.ys(0), turns: loop.turns() };
    const got = check(resultsProgram(b.g, { x: f32(6), table: f32(3) }, results), { x: ramp(6), table: [1, 2, 3] });
    expect(got.outputs.turns).toEqual([3]);
    expect(got.faults).toEqual([]);
  });

  it('report faults of turns that happen, and none of a condition that is not asked any more', () => {
    const b = new Regions();
    const [x, table] = [b.input('x', f32()), b.input('table', f32(4))];
    const make = (bound: number): Program => {
      const loop = b.repeat(9, [x], (_, [h]) => ({ carries: [b.op('add', h, b.num(1, h))] }), {
        cond: (i, [h]) =>
          b.op('and', b.op('lt', h, b.num(bound, h)), b.op('lt', h, b.g.make('gather', [table, i], { axis: 0 }))),
      });
      return resultsProgram(b.g, { x: f32(), table: f32(4) }, { h: loop.carry(0) });
    };
    const inputs = { x: [0], table: [9, 9, 9, 9] };
    expect(check(make(3), inputs).faults).toEqual([]);
    expect(interpretEntry(make(20), 'main', { inputs }).faults[0]).toContain('4 elements');
  });

  it('take their number of turns from the device', () => {
    for (const turns of [-1, 0, 2, 5, 9]) {
      for (const reversed of [false, true]) {
        const b = new Regions();
        const [x, n] = [b.input('x', f32(5)), b.input('n', i32())];
        const loop = b.repeat(
          5,
          [x],
          (i, [h], [row]) => {
            const next = b.op('mul', b.op('add', h, b.spread(row, [5], [])), b.spread(b.cast(i, 'f32'), [5], []));
            return { carries: [next], ys: [b.sum(next, 0)] };
          },
          { count: n, reversed, xs: [x] },
        );
        const results = { h: loop.carry(0), ys: loop.ys(0), turns: loop.turns() };
        check(resultsProgram(b.g, { x: f32(5), n: i32() }, results), { x: ramp(5), n: [turns] });
      }
    }
  });

  it('nest: a loop that stops by itself in every turn of a scan', () => {
    const b = new Regions();
    const x = b.input('x', f32(6));
    const outer = b.repeat(
      6,
      [b.num(1, x)],
      (_, [h], [row]) => {
        const inner = b.repeat(10, [h], (__, [k]) => ({ carries: [b.op('mul', k, b.num(1.5, k))] }), {
          cond: (__, [k]) => b.op('lt', b.sum(k, 0), b.op('add', row, b.g.constant(12, f32()))),
        });
        const small = b.op('mul', inner.carry(0), b.num(0.3, h));
        return { carries: [small], ys: [b.cast(inner.turns(), 'f32'), b.sum(small, 0)] };
      },
      { xs: [x] },
    );
    const results = { h: outer.carry(0), turns: outer.ys(0), sums: outer.ys(1) };
    check(resultsProgram(b.g, { x: x.type }, results), { x: ramp(6, 4) });
  });

  it('differentiate in memory for what they carry, however much a turn computes', () => {
    const turns = 1000;
    const b = new Regions();
    const x = b.input('x', f32(64));
    const w = b.input('w', f32(64));
    const loop = b.repeat(turns, [x], (_, [h]) => {
      const inner = b.op('sin', b.op('mul', h, w));
      return { carries: [b.op('add', b.op('mul', h, b.num(0.5, h)), b.op('tanh', b.op('mul', inner, inner)))] };
    });
    const y = b.sum(loop.carry(0), 0);
    const [gx, gw] = grad(b.g, y, [x, w]).values;
    const p = resultsProgram(b.g, { x: x.type, w: w.type }, { y, gx, gw });
    const { entries } = prepareProgram(p);
    const carries = 4 * 64 * turns;
    expect(entries[0].tempBytes).toBeGreaterThanOrEqual(carries);
    expect(entries[0].tempBytes).toBeLessThan(carries + 4 * 64 * 12);
  });
});

describe('loops in an entry', () => {
  it('read cells before they are written, rows of packed data, and tables', () => {
    for (const limits of profiles) {
      const b = new Regions();
      const cells = [cell('w', f32(5, 6)), cell('h', f32(6)), cell('n', i32())];
      const [w, h, n] = cells.map((c) => b.g.parameter('cell', c.id, c.type));
      const field = { name: 'x', type: f32(4, 5), storage: 'u8' as const, scale: 0.5 };
      const data = [{ name: 'train', source: 'x', rows: 4, fields: [field] }];
      const table = b.g.dense(ramp(4), f32(4));
      const loop = b.repeat(
        4,
        [h, w],
        (i, [state, weights], [row, scale]) => {
          const wide = b.g.make('reshape', [row], { shape: [1, 5] });
          const product = b.g.make('reshape', [b.matmul(wide, weights)], { shape: [6] });
          const next = b.op('tanh', b.op('add', b.op('mul', product, b.spread(scale, [6], [])), state));
          const moved = b.op('add', weights, b.op('mul', w, b.spread(b.cast(b.op('add', i, n), 'f32'), [5, 6], [])));
          return { carries: [next, moved], ys: [b.op('mul', row, row)] };
        },
        { xs: [b.g.parameter('data', 'train.x', field.type), table] },
      );
      const writes = [
        { cell: 'w', value: loop.carry(1) },
        { cell: 'h', value: b.op('add', h, loop.carry(0)) },
        { cell: 'n', value: b.op('add', n, loop.turns()) },
      ];
      const outputs = [{ name: 'ys', kind: 'result' as const, value: loop.ys(0) }];
      const p = program(b.g, { cells, data, entries: [{ id: 'main', writes, outputs, inputs: [] }] });
      const before = { w: ramp(30), h: ramp(6, 2), n: [3] };
      const bytes = Array.from({ length: 20 }, (_, i) => (i * 37) % 7);
      const got = interpretEntry(p, 'main', { cells: before, data: { 'train.x': bytes } }, limits);
      const leaf = (node: Node): NdArray => {
        const name = node.attrs.name as keyof typeof before | 'train.x';
        return {
          type: node.type,
          data: Float64Array.from(name === 'train.x' ? bytes.map((v) => v / 2) : before[name]),
        };
      };
      const entry = p.entries[0];
      const want = evaluate([...entry.writes.map((x) => x.value), entry.outputs[0].value], leaf);
      const all = [...entry.writes.map((x) => got.cells[x.cell]), got.outputs.ys];
      want.forEach((value, k) => value.data.forEach((x, i) => expect(all[k][i], `${k}[${i}]`).toBeCloseTo(x, 9)));
    }
  });

  it('update all leaves that they carry in one kernel', () => {
    const b = new Regions();
    const shapes = [[4, 8], [8], [8, 3], [3]];
    const leaves = shapes.map((shape, k) => b.input(`p${k}`, f32(...shape)));
    const loop = b.repeat(3, leaves, (_, own) => ({
      carries: own.map((x) => b.op('sub', x, b.op('mul', b.num(0.1, x), b.op('sin', x)))),
    }));
    const types = Object.fromEntries(leaves.map((x, k) => [`p${k}`, x.type]));
    const results = Object.fromEntries(leaves.map((_, k) => [`r${k}`, loop.carry(k)]));
    const inputs = Object.fromEntries(leaves.map((x, k) => [`p${k}`, ramp(x.type.shape.reduce((a, c) => a * c, 1))]));
    // The leaves into the loop, three turns, the leaves out of it.
    expect(check(resultsProgram(b.g, types, results), inputs, { sequences: false }).dispatches).toBeLessThanOrEqual(5);
  });
});

describe('choices', () => {
  const build = (predicate: (b: Regions, p: Node) => Node): Program => {
    const b = new Regions();
    const [x, p, table] = [b.input('x', f32(7)), b.input('p', f32()), b.input('table', f32(7))];
    const chosen = b.choose(
      predicate(b, p),
      () => [b.op('sin', x), b.sum(x, 0)],
      () => [
        b.g.make('gather', [table, b.g.make('cast', [b.op('mul', x, b.num(100, x))], { dtype: 'i32' })], { axis: 0 }),
        p,
      ],
    );
    const types = { x: x.type, p: f32(), table: table.type };
    return resultsProgram(b.g, types, { a: chosen.result(0), b: chosen.result(1), taken: chosen.taken() });
  };
  const inputs = (p: number): Record<string, number[]> => ({ x: ramp(7), p: [p], table: ramp(7) });

  it('take one branch; the other raises no fault', () => {
    const p = build((b, v) => b.op('gt', v, b.num(0, v)));
    expect(check(p, inputs(1)).faults).toEqual([]);
    expect(interpretEntry(p, 'main', { inputs: inputs(-1) }).faults[0]).toContain('7 elements');
  });

  it('are made by the host where it can', () => {
    const p = build((b) => b.op('eq', b.g.parameter('scalar', 'step', i32()), b.int(0)));
    const first = interpretEntry(p, 'main', { inputs: inputs(1), scalars: { step: 0 } });
    expect(first.outputs.a[2]).toBeCloseTo(Math.sin(ramp(7)[2]), 9);
    const second = interpretEntry(p, 'main', { inputs: inputs(1), scalars: { step: 1 } });
    expect(second.outputs.b).toEqual([1]);
    expect(second.faults).toHaveLength(1);
    expect(compileProgram(p).entries[0].commands.some((c) => c.kind === 'if')).toBe(true);
  });

  it('stand in loops that stand in choices', () => {
    for (const limits of profiles) {
      for (const sign of [-1, 1]) {
        const b = new Regions();
        const [x, p] = [b.input('x', f32(16, 16)), b.input('p', f32())];
        const chosen = b.choose(
          b.op('gt', p, b.num(0, p)),
          () => {
            const loop = b.repeat(6, [x], (_, [h]) => {
              const even = b.op('lt', b.sum(h, 0, 1), b.num(2, p));
              const one = b.choose(
                even,
                () => [b.op('add', h, b.spread(p, [16, 16], []))],
                () => [b.matmul(h, x)],
              );
              return { carries: [one.result(0)], ys: [b.cast(one.taken(), 'f32')] };
            });
            return [loop.carry(0), loop.ys(0)];
          },
          () => [b.op('neg', x), b.g.constant(7, f32(6))],
        );
        const results = { a: chosen.result(0), b: chosen.result(1) };
        check(resultsProgram(b.g, { x: x.type, p: f32() }, results), { x: ramp(256, 0.1), p: [sign] }, limits);
      }
    }
  });
});

describe('results of a loop', () => {
  it('may be named in a region that comes after it', () => {
    const b = new Regions();
    const x = b.input('x', f32(5));
    const loop = b.repeat(3, [x], (_, [h]) => ({ carries: [b.op('sin', h)] }));
    const chosen = b.choose(
      b.op('lt', b.sum(x, 0), b.g.constant(0, f32())),
      () => [loop.carry(0)],
      () => [b.op('neg', loop.carry(0))],
    );
    const p = resultsProgram(b.g, { x: x.type }, { r: chosen.result(0) });
    check(p, { x: ramp(5) });
    check(p, { x: ramp(5).map((v) => v + 1) });
  });
});

describe('outputs under a condition', () => {
  it('are left out where it does not hold', () => {
    const b = new Regions();
    const x = b.input('x', f32(3));
    const step = b.g.parameter('scalar', 'step', i32());
    const total = b.sum(x, 0);
    const outputs = [
      { name: 'device', kind: 'report' as const, value: total, when: b.op('gt', total, b.num(0, total)) },
      { name: 'host', kind: 'report' as const, value: total, when: b.op('eq', step, b.int(2)) },
      { name: 'both', kind: 'report' as const, value: step, when: b.op('eq', step, b.int(2)) },
    ];
    const p = program(b.g, { entries: [{ id: 'main', writes: [], outputs, inputs: [{ name: 'x', type: x.type }] }] });
    const names = (x: number[], step: number): string[] =>
      Object.keys(interpretEntry(p, 'main', { inputs: { x }, scalars: { step } }).outputs);
    expect(names([1, 2, 3], 0)).toEqual(['device']);
    expect(names([-1, -2, -3], 2)).toEqual(['host', 'both']);
  });
});
