/** `repeat` of many turns, of a number of the run, with `restart`; `while`: as loops of the graph they mean what straight code means. */
import { describe, expect, test } from 'vitest';
import { reachable } from '../../../compiler/ir/tensor/graph.ts';
import { compileSpec, errorsOf, runSpec } from './run-spec.ts';

const run = (text: string) => runSpec(`use rules { sgd, adam }\n${text}`);
const wrong = (text: string) => errorsOf(`use rules { sgd, adam }\n${text}`)[0];
const close = (found: readonly number[], wanted: readonly number[]) => {
  expect(found.length).toBe(wanted.length);
  found.forEach((value, i) => expect(value).toBeCloseTo(wanted[i], 11));
};
/** Is the body of `train` one loop node? */
const isLoop = (text: string) =>
  compileSpec(`use rules { sgd, adam }\n${text}`).program.entries.some((entry) =>
    reachable([...entry.writes, ...entry.outputs].map((x) => x.value)).some((n) => n.op === 'loop'),
  );

/** Adam in plain code, `turns` updates from x; the state may be handed on. */
function adam(x: number, turns: number, lr: number, gradient: (x: number) => number, state = { m: 0, v: 0, k: 0 }) {
  for (let i = 0; i < turns; i++) {
    const g = gradient(x);
    state.k++;
    state.m = 0.9 * state.m + 0.1 * g;
    state.v = 0.999 * state.v + 0.001 * g * g;
    x -= (lr * (state.m / (1 - 0.9 ** state.k))) / (Math.sqrt(state.v / (1 - 0.999 ** state.k)) + 1e-8);
  }
  return x;
}

describe('repeat of many turns', () => {
  /** Each body as a loop, and as straight code, which a use of the index that must be known forces. */
  const both = (body: (i: string) => string, after: string, before = '', inner = false) => {
    const text = (i: string, known: string) =>
      `${before}\ntrain 3 { repeat 12 as i { ${body(i)}\n${known} }\n${after} }`;
    expect(isLoop(text('i', ''))).toBe(true);
    expect(isLoop(text('i', 'let known = zeros(i)'))).toBe(inner);
    return [run(text('i', '')), run(text('f32(i)', 'let known = zeros(i)'))];
  };

  test('writes, draws and batches are the same as in straight code', () => {
    const [loop, straight] = both(
      () =>
        'sample z ~ normal f32[2]\nbatch b = D[3]\nx <- 0.9 * x + z\ny <- y + sum(b.v) * b.v[0]\nreport last = sum(z) + y',
      'report x0 = x[0], x1 = x[1], y',
      'data D = { v: f32(0..10) }\nvar x: f32[2] = 1\nvar y = 0.0',
    );
    for (const name of ['x0', 'x1', 'y', 'last']) expect(loop.all(name)).toEqual(straight.all(name));
    expect(loop.all('last').length).toBe(3);
  });
  test('updates with state and count, several cells, every and if inside', () => {
    const [loop, straight] = both(
      () => `update x by adam(0.05) minimizing sum((x - y)^2)
every 5 { update y by adam(0.1) minimizing (y - 3)^2 + sum(x * y)
  report rare = y }
if x[0] > y { x <- 0.5 * x }
if y > 2 { report high = y }`,
      'report x0 = x[0], y',
      'var x: f32[2] = [1, 2]\nvar y = 0.5',
    );
    for (const name of ['x0', 'y', 'rare']) close(loop.all(name), straight.all(name));
    expect(loop.series.get('high') ?? []).toEqual(straight.series.get('high') ?? []);
  });
  test('nested loops, local variables and models', () => {
    const [loop, straight] = both(
      () => `var t = 1.0
repeat 10 as j { t <- t * 0.9 + 0.01 * f32(j) * s }
s <- s + t
update Net by sgd(0.01, momentum: 0.5) minimizing sum((Net(v) - s)^2)`,
      'report s, out = sum(Net(v))',
      'use nn { linear }\nmodel Net(x: f32[n, 2]) { linear(x, 1) }\nlet v = ones(3, 2)\nvar s = 0.1',
      true,
    );
    close(loop.all('s'), straight.all('s'));
    close(loop.all('out'), straight.all('out'));
  });
  test('the index is an i32 value; where it must be known, the loop is straight code', () => {
    const m = run('var t = 0.0\ntrain 1 { repeat 20 as i { t <- t + f32(i)^2; report i } \n report t }');
    expect([m.last('t'), m.last('i')]).toEqual([2470, 19]);
    const known = run('var t = 0.0\ntrain 1 { repeat 20 as i { t <- t + (i + 0.5) / 2 + sum(ones(i)) }\n report t }');
    expect(known.last('t')).toBe((190 + 10) / 2 + 190);
    expect(wrong('var t = 0.0\ntrain 1 { repeat 20000 as i { t <- t + sum(ones(i)) } }').code).toBe('OPT501');
  });
  test('a run may have as many operations as a program without runs; several have as many each', () => {
    const trial =
      'fn f(x) = sin(x) + cos(x) + exp(-x)\ntrial t(n: dim) { var x = 1.0\ntrain 1 { for i in 0..n { x <- f(x) } } }\n';
    const runs = [0, 1, 2, 3, 4].map((k) => `run r${k} = t(9000)\n`).join('');
    expect(compileSpec(trial + runs).program.runs).toHaveLength(5);
    const large = errorsOf(trial.replace('f(x) }', 'f(x) + f(2 * x) + f(3 * x) + f(4 * x) }') + runs)[0];
    expect([large.code, large.message]).toEqual(['OPT501', "the run 'r0' grows past 200000 operations here"]);
  });
  test('many turns are few operations', () => {
    const { program } = compileSpec(
      'use rules { adam }\nvar x: f32 = 3\ntrain 2 { repeat 100000 { update x by adam(1e-3) minimizing (x - 1)^2 } }',
    );
    const nodes = program.entries.flatMap((entry) => reachable(entry.writes.map((w) => w.value)));
    expect(nodes.length).toBeLessThan(150);
  });
  test('k counts the updates of the statement over all loops', () => {
    const m = run(`var x: f32 = 3\nvar y: f32 = 3
train 2 { repeat 9 { repeat 10 { update x by adam(0.01) minimizing (x - 1)^2 } }
  repeat 10 { if x > 0 { update y by adam(0.01) minimizing (y - 1)^2 } } }`);
    expect(m.value('x')).toBeCloseTo(
      adam(3, 180, 0.01, (x) => 2 * (x - 1)),
      11,
    );
    expect(m.value('y')).toBeCloseTo(
      adam(3, 20, 0.01, (x) => 2 * (x - 1)),
      11,
    );
  });
  test('outside of phases, in functions: cells of the program and local ones', () => {
    const m = run(`var x: f32 = 3
fn go() { repeat 30 { update x by adam(0.05) minimizing (x - 1)^2 }
  x }
fn near(a) { var t: f32 = 0
  repeat 12 { update t by adam(0.1) minimizing (t - a)^2 }
  t }
let first = go()
metric m = first
metric n = near(x)`);
    const x = adam(3, 30, 0.05, (v) => 2 * (v - 1));
    close([m.last('m'), m.last('n')], [x, adam(0, 12, 0.1, (v) => 2 * (v - x))]);
  });
  test('restart begins the states and the count anew at each entry, and nothing else', () => {
    const m = run(`data D = { v: f32(0..10) }
var x: f32 = 3
train 3 { repeat 10 restart { update x by adam(0.05) minimizing (x - 1)^2
    batch b = D[1]
    report seen = b.v[0] }
  report x }`);
    let x = 3;
    const wanted = [0, 1, 2].map(() => (x = adam(x, 10, 0.05, (v) => 2 * (v - 1))));
    close(m.all('x'), wanted);
    const straight = run('data D = { v: f32(0..10) }\ntrain 3 { repeat 10 { batch b = D[1]\n report seen = b.v[0] } }');
    expect(m.all('seen')).toEqual(straight.all('seen'));
    const few = run(
      'var x: f32 = 3\ntrain 3 { repeat 3 restart { update x by adam(0.05) minimizing (x - 1)^2 }\n report x }',
    );
    x = 3;
    close(
      few.all('x'),
      [0, 1, 2].map(() => (x = adam(x, 3, 0.05, (v) => 2 * (v - 1)))),
    );
    expect([...m.cells.keys()].filter((id) => id.includes('#adam'))).toEqual([]);
  });
  test('variables of the body are born in each turn, with new draws; families stay in it', () => {
    const [loop, straight] = both(
      () => `var t: f32 ~ normal
t <- t + s
let h[0] = t
for l in 0..2 { let h[l + 1] = 0.5 * h[l] }
s <- 0.5 * s + h[2]`,
      'report s',
      'var s = 0.0',
    );
    expect(loop.all('s')).toEqual(straight.all('s'));
    expect(wrong('var s = 1.0\ntrain 1 { if s > 0 { let h[0] = s }\nreport r = h[0] }').code).toMatch(/^OPT2/);
  });
  test('a rule that repeats: as a step, and as a pure step with its derivative', () => {
    const rule =
      'rule many(lr = 0.01) for (p, g) { state s = zeros_like(p)\nrepeat 12 { p <- p - lr * (g + s)\ns <- 0.5 * s + p } }';
    const step = (x: number, s = 0): [number, number] => {
      const g = 2 * x;
      for (let i = 0; i < 12; i++) {
        x -= 0.01 * (g + s);
        s = 0.5 * s + x;
      }
      return [x, s];
    };
    const m = run(`${rule}\nvar x: f32 = 3
let (q, s) = many().step(x, 2 * x)
let (r, t) = many().step(q, 2 * q, s)
metric a = r
metric b = t.s
metric slope = grad(r, x)
train 2 { update x by many() minimizing x^2
  report x }`);
    const first = step(3);
    const second = step(...first);
    close([m.last('a'), m.last('b'), m.last('slope')], [...second, second[0] / 3]);
    close(m.all('x'), [first[0], second[0]]);
  });
  test('states of the rules of a local variable are born with it', () => {
    const m = run(`train 3 { var t: f32 = 3.0
  repeat 10 { update t by adam(0.05) minimizing (t - 1)^2 }
  report t }`);
    const wanted = adam(3, 10, 0.05, (v) => 2 * (v - 1));
    close(m.all('t'), [wanted, wanted, wanted]);
  });
});

describe('turns that the run decides', () => {
  test('repeat n max N', () => {
    const m = run(`var n: i32 = 4
var x = 1.0
var t = 0.0
train 4 { repeat n max 5 as i { x <- x / 2; t <- t + f32(i)
    report turn = i }
  n <- n - 2
  report x }`);
    // 4, 2, 0 and -2 turns
    close(m.all('x'), [1 / 16, 1 / 64, 1 / 64, 1 / 64]);
    expect(m.value('t')).toBe(7);
    expect(m.all('turn')).toEqual([3, 1]);
    expect(run('var n: i32 = 9\nvar x = 0.0\nrepeat n max 5 { x <- x + 1 }\nmetric m = x').last('m')).toBe(5);
  });
  test('while asks before each turn, and stops at max', () => {
    const m = run(`var x = 10.0
train 3 { var turns = 0.0
  while x > 1 max 3 { x <- x / 2; turns <- turns + 1
    report inside = x }
  report x, turns }`);
    expect(m.all('x')).toEqual([1.25, 0.625, 0.625]);
    expect(m.all('turns')).toEqual([3, 1, 0]);
    expect(m.all('inside')).toEqual([1.25, 0.625]);
  });
  test('a line search in a rule, and updates that count, in a while', () => {
    const m = run(`rule armijo(t0 = 8.0) for tree (P, G; L) {
  var t = t0
  while (L at { P: P - t * G }) > L - 1e-4 * t * dot(G, G) max 40 { t <- t / 2 }
  P <- P - t * G
  report length = t
}
var x: f32[2] = [3, -1]
train 4 { update x by armijo() minimizing sum([1.0, 10.0] * x^2) }
var y: f32 = 3
train 2 { while y > 1.5 max 200 { update y by adam(0.1) minimizing y^2 } 
  y <- y + 1 }`);
    let x = [3, -1];
    const loss = (v: number[]) => v[0] ** 2 + 10 * v[1] ** 2;
    const lengths = [0, 1, 2, 3].map(() => {
      const g = [2 * x[0], 20 * x[1]];
      let t = 8;
      const moved = () => x.map((v, i) => v - t * g[i]);
      while (loss(moved()) > loss(x) - 1e-4 * t * (g[0] ** 2 + g[1] ** 2)) t /= 2;
      x = moved();
      return t;
    });
    expect(m.all('length')).toEqual(lengths);
    close(m.values('x'), x);
    let y = 3;
    const state = { m: 0, v: 0, k: 0 };
    for (let step = 0; step < 2; step++) {
      while (y > 1.5) y = adam(y, 1, 0.1, (v) => 2 * v, state);
      y += 1;
    }
    expect(m.value('y')).toBeCloseTo(y, 11);
  });
  test('a loop that takes no turn raises no error and leaves everything', () => {
    const m = run(`var x: f32[3] = 1
var i: i32 = 7
train 1 { while i < 3 max 5 { x[i] <- 2; update x by adam(0.1) minimizing x[i]^2 }
  report s = sum(x) }`);
    expect(m.all('s')).toEqual([3]);
  });
  test('draws of each turn are new', () => {
    const m = run(`var last = 0.0\nvar same = 0.0
train 1 { while true max 20 { sample z ~ uniform f32
    same <- same + f32(z == last)
    last <- z }
  report same }`);
    expect(m.last('same')).toBe(0);
  });
  test('phases and metrics cannot stand there', () => {
    expect(wrong('var x = 1.0\nwhile x > 1 max 3 { metric m = x }').code).toBe('OPT424');
    expect(wrong('var n: i32 = 1\nvar x = 1.0\nrepeat n max 3 { train 2 { x <- x / 2 } }').code).toBe('OPT424');
    expect(wrong('var x: f32[2] = 1\ntrain 1 { while x > 1 max 3 { x <- x / 2 } }').code).toBe('OPT318');
    expect(wrong('var n = 1.0\nvar x = 1.0\nrepeat n max 3 { x <- x / 2 }').code).toBe('OPT305');
    expect(wrong('var x = 1.0\nrepeat 7 max 3 { x <- x / 2 }').code).toBe('OPT305');
  });
});

describe('the checks of straight code hold from turn to turn', () => {
  const many = (body: string, n = 12) =>
    `var x: f32 = 1\nvar y: f32 = 1\nvar w: f32 = 2\ntrain 1 { ${body.replace('repeat', `repeat ${n}`)} }`;
  const cases: readonly [string, string, string][] = [
    [
      'a let from before the loop is stale in the second turn',
      'OPT410',
      'let l = x^2\nrepeat { update x by sgd(0.1) minimizing l }',
    ],
    [
      'a write that an earlier turn made',
      'OPT401',
      'repeat { update x by sgd(0.1) minimizing x^2 + x * y\ny <- 2 * x }',
    ],
    [
      'a write of an earlier turn, of something that does not change',
      'OPT401',
      'repeat { let g = grad(x * y, w)\nx <- x - g\ny <- y + w }',
    ],
    ['a write over two turns', 'OPT401', 'var z = 1.0\nrepeat { let g = grad(z^2, w)\nx <- x - g\nz <- y\ny <- w }'],
    [
      'a local variable that begins with it',
      'OPT401',
      'var t = w\nrepeat { let g = grad(t^2, w)\nx <- x - g\nt <- 0.5 * t }',
    ],
  ];
  test.each(cases)('%s', (_, code, body) => {
    expect(wrong(many(body)).code).toBe(code);
    // as it is found in straight code
    expect(wrong(many(body, 4)).code).toBe(code);
  });
  test('stop says that it is meant; moved cells are leaves', () => {
    const m = run(
      many(
        'repeat { update x by sgd(0.1) minimizing (x - stop(y))^2 / 2\ny <- 0.5 * x\nupdate w by sgd(0.1) minimizing (w - x)^2 / 2 }',
      ),
    );
    let [x, y, w] = [1, 1, 2];
    for (let i = 0; i < 12; i++) {
      x -= 0.1 * (x - y);
      y = 0.5 * x;
      w -= 0.1 * (w - x);
    }
    close([m.value('x'), m.value('y'), m.value('w')], [x, y, w]);
  });
  test('a gradient through the loop is an error after it too', () => {
    expect(wrong('var w: f32 = 2\nvar t: f32 = 1\nrepeat 12 { t <- t * w }\nmetric m = grad(t, w)').code).toBe(
      'OPT401',
    );
  });
  test('gradients in the body, of second order, by what does not change', () => {
    const m = run(
      'var w: f32 = 2\nvar t: f32 = 1\ntrain 1 { repeat 10 as i { t <- t + stop(grad(grad(sin(w * f32(i)), w), w)) } }',
    );
    const wanted = Array.from({ length: 10 }, (_, i) => -(i ** 2) * Math.sin(2 * i)).reduce((a, b) => a + b, 1);
    expect(m.value('t')).toBeCloseTo(wanted, 10);
  });
});

describe('nested loops', () => {
  const nest = (depth: number, open: (d: number) => string) =>
    Array.from({ length: depth }, (_, d) => open(d)).join(' ') +
    ' x <- 0.999 * x + 0.001 * sin(y); update y by sgd(1e-3) minimizing (y - stop(x))^2 ' +
    '}'.repeat(depth);
  const text = (body: string) =>
    `use rules { sgd }\nvar x: f32 = 0.5\nvar y: f32 = 0.2\ntrain 1 { ${body} }\nmetric a = x\nmetric b = y`;

  test('are elaborated in proportion to their depth', () => {
    const kinds = [
      () => 'repeat 9 {',
      () => 'while x < 2 max 9 {',
      (d: number) => (d % 2 ? 'while x < 2 max 9 {' : 'repeat 9 {'),
    ];
    for (const open of kinds) {
      // ids count all nodes that were made, those of a first look too
      const made = [3, 6, 12].map((depth) => {
        const { entries } = compileSpec(text(nest(depth, open))).program;
        return Math.max(...entries.flatMap((entry) => entry.writes.map((w) => w.value.id)));
      });
      // with d + 1 looks at the body and the loops around it at each, no more than the square of the depth
      expect(made[2] / made[1]).toBeLessThan(4.5);
      expect(made[1] / made[0]).toBeLessThan(4.5);
    }
  });
  test('compute what straight code does', () => {
    const straight = (turns: number) => {
      let [x, y] = [0.5, 0.2];
      for (let k = 0; k < turns; k++) {
        x = 0.999 * x + 0.001 * Math.sin(y);
        y -= 1e-3 * 2 * (y - x);
      }
      return [x, y];
    };
    for (const [open, turns] of [
      [() => 'repeat 9 {', 729],
      [(d: number) => (d === 1 ? 'while x > 10 max 9 {' : 'repeat 9 {'), 0],
      [(d: number) => (d === 1 ? 'while x < 10 max 9 {' : 'repeat 9 {'), 729],
    ] as const) {
      const m = runSpec(text(nest(3, open)));
      const [x, y] = straight(turns);
      expect(m.last('a')).toBeCloseTo(x, 10);
      expect(m.last('b')).toBeCloseTo(y, 10);
    }
  });
  test('a derivative through a write that an inner loop may do is refused as before', () => {
    const code = (inner: string) =>
      errorsOf(`var x: f32 = 0.5\nvar w: f32 = 1\ntrain 1 { repeat 9 { ${inner}\n report g = grad(x^2, w) } }`).map(
        (d) => d.code,
      );
    expect(code('repeat 9 { x <- w * x }')).toEqual(['OPT401']);
    expect(code('while x < 3 max 9 { x <- w * x }')).toEqual(['OPT401']);
  });
  test('a derivative that reads less than its expression does not refuse another one', () => {
    // u is 1 whatever v is: what stands in for it in the first look reads v
    const m = runSpec(
      `var v = 2.0\nvar w = 1.0\nvar u = 3.0\nvar s = 0.0
train 1 { repeat 9 { let d = grad(u * v, v)\n u <- grad(v^2 + w, w)\n s <- s + d }\n report u, s\n v <- 1\n w <- 1 }`,
    );
    expect([m.last('u'), m.last('s')]).toEqual([1, 3 + 8]);
    const [refused] = errorsOf(
      `var v = 2.0\nvar w = 1.0\nvar u = 3.0\nvar s = 0.0
train 1 { repeat 9 { let d = grad(u * v, v)\n u <- grad(v^2 + w, w) * v\n s <- s + d } }`,
    );
    expect(refused.code).toBe('OPT401');
  });
  test('a loop that changes other cells at each call', () => {
    const m = runSpec(
      `var a = 0.0\nvar b = 0.0
fn count(k: dim) { repeat 9 { if k == 1 { a <- a + 1 } else { b <- b + 10 } }\n a }
train 1 { repeat 12 { let s = count(1)\n let t = count(2)\n let u = count(1) }\n report a, b }`,
    );
    expect([m.last('a'), m.last('b')]).toEqual([12 * 18, 12 * 90]);
  });
  test('variables of the outer turn that an inner loop changes', () => {
    const m = runSpec(
      `var x = 0.0
train 1 { repeat 12 { var t = 1.0\n while t < 100 max 20 { t <- 2 * t }\n var r = t\n repeat 9 { r <- r + t }\n x <- x + r }\n report x }`,
    );
    expect(m.last('x')).toBe(12 * 1280);
  });
});
