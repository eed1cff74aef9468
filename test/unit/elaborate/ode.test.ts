/** stdlib/ode.opt against closed forms, orders of convergence, and SciPy (test/oracles/ode.py), values and derivatives. */
import { describe, expect, test } from 'vitest';
import { oracle } from './oracle.ts';
import { errorsOf, runSpec } from './run-spec.ts';

const values = oracle('ode');
const names =
  'euler, midpoint, heun, rk4, dopri5, dormand_prince, integrate, integrate_checkpointed, trajectory, adjoint, adaptive';
const uses = `use ode { ${names} } allow OPT216
fn lotka_of(y, t, p) = [p[0] * y[0] - p[1] * y[0] * y[1], -p[2] * y[1] + p[3] * y[0] * y[1]]
var p: f32[4] = [1.5, 1.0, 3.0, 1.0]
var y0: f32[2] = [1.0, 0.5]
fn lotka(y, t) = lotka_of(y, t, p)
fn pol(y, t) = [y[1], 2 * (1 - y[0]^2) * y[1] - y[0] + 0.5 * cos(t)]
fn growing(y, t) = y
fn turning(s, t) = { p: -s.q, q: s.p }
fn slowing(y, t) = -y * (1 + t)
`;

/** Values of cells after a spec of one line each: `{ a: 'expression' }`, each a list of numbers. */
function found(cases: Record<string, readonly [number, string]>): Record<string, number[]> {
  const cells = Object.entries(cases).map(
    ([n, [size, text]]) => `var out_${n} = zeros(${size})\nout_${n} <- flat(${text})`,
  );
  const machine = runSpec(`${uses}${cells.join('\n')}`);
  return Object.fromEntries(Object.keys(cases).map((n) => [n, machine.values(`out_${n}`)]));
}

const close = (got: readonly number[], wanted: readonly number[], digits: number): void =>
  wanted.forEach((w, i) => expect(got[i]).toBeCloseTo(w, digits));

describe('one step', () => {
  test.each([
    ['euler', 1],
    ['midpoint', 2],
    ['heun', 2],
    ['rk4', 4],
    ['dopri5', 5],
  ] as const)('%s is of order %i: y(1) = exp(-3/2) of dy/dt = -y (1 + t)', (step, order) => {
    const at = (n: number): readonly [number, string] => [
      1,
      `integrate(slowing, 1.0, linspace(0, 1, ${n + 1}), step: ${step})`,
    ];
    const { few, more } = found({ few: at(8), more: at(16) });
    const [a, b] = [few[0] - Math.exp(-1.5), more[0] - Math.exp(-1.5)];
    expect(Math.abs(b)).toBeLessThan(0.2 / 16 ** order + 1e-12);
    expect(Math.log2(Math.abs(a / b))).toBeGreaterThan(order - 0.35);
    expect(Math.log2(Math.abs(a / b))).toBeLessThan(order + 0.8);
  });
  test('Dormand and Prince: the step and its estimate on dy/dt = y are polynomials of h', () => {
    // Stability functions of the two methods: 1 + h + … + h^5/120 + h^6/600, and the embedded one of order 4 (Hairer, Norsett and Wanner, 1993, II.4 and IV.2).
    const h = 0.3;
    const fifth = 1 + h + h ** 2 / 2 + h ** 3 / 6 + h ** 4 / 24 + h ** 5 / 120 + h ** 6 / 600;
    const fourth =
      1 +
      h +
      h ** 2 / 2 +
      h ** 3 / 6 +
      h ** 4 / 24 +
      (1097 / 120000) * h ** 5 +
      (161 / 120000) * h ** 6 +
      h ** 7 / 24000;
    const { y, e } = found({
      y: [1, `dopri5(growing, 1.0, 0, ${h})`],
      e: [1, `dormand_prince(growing, 1.0, 0, ${h})[1]`],
    });
    expect(y[0]).toBeCloseTo(fifth, 12);
    expect(e[0]).toBeCloseTo(fifth - fourth, 12);
  });
});

test('paths and ends as SciPy has them', () => {
  const got = found({
    lotka: [8, 'trajectory(lotka, y0, linspace(0, 3, 601), step: dopri5)[[0, 200, 400, 600]]'],
    pol: [2, 'integrate(pol, [1.0, 0.0], linspace(0, 4, 801), step: dopri5)'],
    kept: [2, 'integrate_checkpointed(lotka, y0, linspace(0, 3, 601), 25, step: dopri5)'],
  });
  close(got.lotka, values.lotka, 8);
  close(got.pol, values.pol, 8);
  close(got.kept, values.lotka.slice(6), 8);
});

test('a state may be a tree, and times may go backwards', () => {
  const { there, back } = found({
    there: [2, 'trajectory(turning, { p: 1.0, q: 0.0 }, linspace(0, 2, 101)).p[[50, 100]]'],
    back: [2, 'integrate(turning, integrate(turning, { p: 0.6, q: 0.8 }, linspace(0, 2, 101)), linspace(2, 0, 101))'],
  });
  close(there, [Math.cos(1), Math.cos(2)], 7);
  close(back, [0.6, 0.8], 7);
});

describe('derivatives', () => {
  const objective = (call: string) => `dot(${call}, [1.0, 2.0])`;
  const ts = 'linspace(0, 3, 301)';
  test.each([
    ['through the steps', `integrate(lotka, y0, ${ts})`],
    ['through steps that are computed again', `integrate_checkpointed(lotka, y0, ${ts}, 17)`],
    ['by the adjoint equation', `adjoint(lotka_of, y0, p, ${ts})`],
    ['through chosen steps', 'adaptive(lotka, y0, 0, 3, rtol: 1e-9, atol: 1e-9, most: 200).y'],
  ])('%s: by the start and the parameters', (_, call) => {
    const got = found({ by_p: [4, `grad(${objective(call)}, p)`], by_y: [2, `grad(${objective(call)}, y0)`] });
    close(got.by_p, values.by_p, 5);
    close(got.by_y, values.by_y, 5);
  });
  test('second derivatives of the adjoint equation are those of the steps', () => {
    const hvp = (call: string) => `hvp(${objective(call)}, p, [1.0, -0.5, 0.3, 2.0])`;
    const got = found({
      adjoint: [4, hvp('adjoint(lotka_of, y0, p, linspace(0, 1, 101))')],
      steps: [4, hvp('integrate(lotka, y0, linspace(0, 1, 101))')],
      mixed: [2, `grad(dot(grad(${objective('adjoint(lotka_of, y0, p, linspace(0, 1, 101))')}, p), p), y0)`],
      same: [2, `grad(dot(grad(${objective('integrate(lotka, y0, linspace(0, 1, 101))')}, p), p), y0)`],
    });
    close(got.adjoint, got.steps, 6);
    close(got.mixed, got.same, 6);
  });
  test('the adjoint equation by the ends of the times', () => {
    const m = runSpec(`${uses}var ts: f32[161] = linspace(0.5, 2, 161)
fn end = dot(adjoint(lotka_of, y0, p, ts), [1.0, 2.0])
fn steps = dot(integrate(lotka, y0, linspace(0.5, 2, 161)), [1.0, 2.0])
metric last = grad(end, ts)[160] - dot(lotka(adjoint(lotka_of, y0, p, ts), 2.0), [1.0, 2.0])
metric first = grad(end, ts)[0] + dot(grad(steps, y0), lotka(y0, 0.5))
metric inner = max(abs(grad(end, ts)[1..160]))`);
    expect(m.last('last')).toBeCloseTo(0, 10);
    expect(m.last('first')).toBeCloseTo(0, 5);
    expect(m.last('inner')).toBe(0);
  });
});

describe('chosen steps', () => {
  test.each([
    ['rk45_lotka', 'adaptive(lotka, y0, 0, 10)'],
    ['rk45_pol', 'adaptive(pol, [1.0, 0.0], 0, 12, rtol: 1e-6, first: 2)'],
    ['rk45_back', 'adaptive(pol, [1.0, 0.0], 0, -1.5, rtol: 1e-5, first: 0.1)'],
  ])('%s takes the steps that SciPy takes', (name, call) => {
    const m = runSpec(
      `${uses}let r = ${call}\nvar y: f32[2] = 0\ny <- r.y\nmetric tries = r.tries\nmetric taken = r.taken`,
    );
    close(m.values('y'), values[name].slice(0, 2), 9);
    expect([m.last('tries'), m.last('taken')]).toEqual(values[name].slice(2));
  });
  test('a step that leaves the domain of f is tried again, shorter', () => {
    // (1 - t/2)^2 is 0 at 2: the first step, of all the way, has stages below 0
    const m = runSpec(`${uses}fn draining(y, t) = -sqrt(y)
let r = adaptive(draining, 1.0, 0, 1.5, first: 10)\nmetric y = r.y\nmetric tries = r.tries - r.taken`);
    expect(m.last('y')).toBeCloseTo(1 / 16, 4);
    expect(m.last('tries')).toBeGreaterThan(0);
  });
  test('where the tries do not reach the end there is no value', () => {
    const m = runSpec(`${uses}metric y = sum(adaptive(pol, [1.0, 0.0], 0, 12, most: 5).y)`);
    expect(m.last('y')).toBeNaN();
  });
});

test('a step that is no fn is refused where it is given', () => {
  const [error] = errorsOf(`${uses}metric m = integrate(slowing, 1.0, linspace(0, 1, 5), step: 3)`);
  expect(error.code).toBe('OPT311');
});
