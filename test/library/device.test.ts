/**
 * Every row of the library on the device against the float64 reference: values, and for rules the variables after three updates, at sizes of one, of primes, and just
 * over a tile; gradients along random directions at primes; elementwise functions also at edge values.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Bundle } from '../../compiler/bundle/format.ts';
import { compile } from '../../compiler/pipeline.ts';
import { Source } from '../../compiler/source/source.ts';
import type { OpenDevice } from '../../runtime/device/device.ts';
import { openDevice } from '../../runtime/host/driver.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { load, type Session } from '../../runtime/session.ts';
import { functionOf, inputsOf, table, uses, usesOf, WEIGH } from './program.ts';
import { needSome, type Row } from './rows.ts';

let device: OpenDevice;
beforeAll(async () => {
  device = await openDevice('auto');
});
afterAll(() => device.close());

type Entry = readonly [name: string, module: string, row: Row];
type Size = readonly [number, number];
/** Where gradients are compared as well: they cost the most to compile. */
const PRIMES: Size = [7, 5];
const SIZES: readonly Size[] = [[1, 1], PRIMES, [67, 17]];
const AT_EDGES = [0, 1e-30, -1e-30, 1e-6, -1e-6, 0.5, 1, -1, 7, -7, 30, -30, 88, -88, 1000, -1000];
const CLOSE = 1e-4;
const TOGETHER = 8;

const library = (module: string): Source =>
  new Source(`${module}.opt`, readFileSync(new URL(`../../stdlib/${module}.opt`, import.meta.url), 'utf8'));

/** What a spec reports in its last step on the device and on the reference. */
async function both(text: string): Promise<readonly [Record<string, number>, Record<string, number>]> {
  const compiled = compile(new Source('library.opt', text), {
    readImport: library,
    dataInfo: () => undefined,
    set: new Map(),
    profile: device.profile,
  });
  if (!compiled.ok) throw new Error(`${compiled.diagnostics.map((d) => `${d.code} ${d.message}`).join('\n')}\n${text}`);
  const bundle = compiled.value.bundle as Bundle;
  return [
    await lastReport(await load(bundle).start({ device })),
    await lastReport(await load(bundle).start({ backend: createReferenceBackend(compiled.value.program) })),
  ];
}

async function lastReport(session: Session): Promise<Record<string, number>> {
  let values: Record<string, number> = {};
  for await (const report of session.train({ steps: 3 })) values = report.values;
  await session.dispose();
  return values;
}

/** Inputs of row k as cells `x_k`, and what is reported of it. */
function reports(
  [, , row]: Entry,
  k: number,
  gradients: boolean,
): { readonly before: string; readonly inside: string } {
  const inputs = inputsOf(row);
  const cells = inputs.map((i) => `frozen ${i.name}_${k}: ${i.type} ~ ${i.draw}`);
  const value = `weigh(f${k}${inputs.length > 0 ? `(${inputs.map((i) => `${i.name}_${k}`).join(', ')})` : ''})`;
  const call = value.slice('weigh('.length, -1);
  const by = row.order === 0 || !gradients ? [] : inputs.filter((i) => i.float).map((i) => `${i.name}_${k}`);
  const before = [...cells, functionOf(row, k), `fn value_${k} = ${value}`];
  for (const x of by) before.push(`sample d_${x} ~ normal like ${x}`);
  const inside = [`report v_${k} = value_${k}`, `report s_${k} = sum(abs(flat(${call})))`];
  for (const x of by)
    inside.push(
      `report g_${x} = dot(grad(value_${k}, ${x}), d_${x})`,
      `report t_${x} = sum(abs(grad(value_${k}, ${x}) * d_${x}))`,
    );
  return { before: before.join('\n'), inside: inside.join('\n  ') };
}

function spec(entries: readonly Entry[], [n, c]: Size): string {
  const gradients = n === PRIMES[0] && c === PRIMES[1];
  const parts = entries.map((entry, k) => reports(entry, k, gradients));
  return `${uses(entries.flatMap(([name, module, row]) => usesOf(module, name, row)))}
dim N = ${n}
dim C = ${c}
${WEIGH}
${parts.map((p) => p.before).join('\n')}
train 3 {
  ${parts.map((p) => p.inside).join('\n  ')}
}`;
}

function trained(entries: readonly Entry[], [n, c]: Size): string {
  const one = (_: Entry, k: number) => `var p_${k}: f32[N, C] ~ uniform(0.2, 1.5)
var q_${k}: f32[C, N] ~ uniform(0.2, 1.5)
fn loss_${k} = sum(p_${k}^2 * w) / 2 + sum(cos(q_${k}) * transpose(w)) + sum(p_${k} @ q_${k}) / (N * N)`;
  const inside = ([, , row]: Entry, k: number) => `update p_${k}, q_${k} by ${row.by} minimizing loss_${k}
  report v_${k} = weigh((p_${k}, q_${k})), s_${k} = sum(abs(p_${k})) + sum(abs(q_${k}))`;
  return `${uses(entries.flatMap(([name, module, row]) => usesOf(module, name, row)))}
dim N = ${n}
dim C = ${c}
${WEIGH}
frozen w: f32[N, C] ~ uniform(0.5, 2)
${entries.map(one).join('\n')}
train 3 {
  ${entries.map(inside).join('\n  ')}
}`;
}

/** Numbers of the two sides beside each other; v is close relative to the size s of what it sums up, g to t. */
function agree(
  entries: readonly Entry[],
  [got, wanted]: readonly [Record<string, number>, Record<string, number>],
): void {
  for (const key of Object.keys(wanted)) {
    const [kind, ...rest] = key.split('_');
    if (kind !== 'v' && kind !== 'g') continue;
    const [name, , row] = entries[Number(rest.at(-1))];
    const size = wanted[`${kind === 'v' ? 's' : 't'}_${rest.join('_')}`];
    const tolerance = (row.tolerance ?? CLOSE) * Math.max(1, size);
    expect(Number.isFinite(wanted[key]), `${name}: ${key} is ${wanted[key]}`).toBe(true);
    expect(Math.abs(got[key] - wanted[key]), `${name}: ${key} is ${got[key]}, not ${wanted[key]}`).toBeLessThan(
      tolerance,
    );
  }
}

function chunks(entries: readonly Entry[]): readonly Entry[][] {
  return Array.from({ length: Math.ceil(entries.length / TOGETHER) }, (_, i) =>
    entries.slice(i * TOGETHER, (i + 1) * TOGETHER),
  );
}

const all: readonly Entry[] = Object.entries(table).flatMap(([module, rows]) =>
  Object.entries(rows).map(([name, row]): Entry => [name, module, row]),
);
/** Sizes in which a row is looked at. */
const sizesOf = ([, , row]: Entry): readonly Size[] => row.sizes ?? SIZES;
const sizes = [...new Map(all.flatMap(sizesOf).map((s) => [s.join(), s])).values()];

describe.each(sizes)('N = %i, C = %i', (n, c) => {
  const here = all.filter((e) => sizesOf(e).some((s) => s[0] === n && s[1] === c));
  const titled = (entries: readonly Entry[]) =>
    chunks(entries).map((part) => [part.map(([name]) => name).join(', '), part] as const);
  test.each(titled(here.filter(([, , row]) => row.call !== undefined)))('%s', { timeout: 600_000 }, async (_, part) =>
    agree(part, await both(spec(part, [n, c]))),
  );
  const rules = here.filter(([, , row]) => row.by !== undefined);
  if (rules.length > 0)
    test.each(titled(rules))('updates by %s', { timeout: 600_000 }, async (_, part) =>
      agree(part, await both(trained(part, [n, c]))),
    );
});

/** Over nothing, where that has a value; what has none is refused (shapes.test.ts). */
describe('N = 0, C = 5', () => {
  const kept = all.filter(([name, , row]) => row.call !== undefined && !needSome.has(name));
  test.each(chunks(kept).map((part) => [part.map(([name]) => name).join(', '), part] as const))(
    '%s',
    { timeout: 300_000 },
    async (_, part) => agree(part, await both(spec(part, [0, 5]))),
  );
});

test('constants without values, of two types', async () => {
  const [got] = await both(`var y: f32[3, 3] = 1
let none = 1.0 * y[0..0]
train 3 { report r = 1 + sum(onehot(i32(none[:, 0]), 3) * none) }`);
  expect(got.r).toBe(1);
});

describe('edge values', () => {
  const edges = all.filter(([, , row]) => row.edge);
  test.each(edges)('%s', { timeout: 300_000 }, async (name, module, row) => {
    const inputs = inputsOf(row);
    const args = inputs.map((i, at) => (at === 0 ? 'edge' : i.name)).join(', ');
    const others = inputs.slice(1).map((i) => `frozen ${i.name}: f32[${AT_EDGES.length}] ~ ${i.draw}`);
    const [got, wanted] = await both(`${uses(usesOf(module, name, row))}
${functionOf(row, 0)}
frozen edge: f32[${AT_EDGES.length}] = [${AT_EDGES.map((x) => x.toExponential()).join(', ')}]
${others.join('\n')}
train 3 {
  let y = f0(${args})
  ${AT_EDGES.map((_, i) => `report y${i} = clamp(y[${i}], -3.4e38, 3.4e38)`).join('\n  ')}
}`);
    AT_EDGES.forEach((x, i) => {
      const [a, b] = [got[`y${i}`], wanted[`y${i}`]];
      // Above the largest f32 the device has no number; the reference has, or has none either.
      if (Math.abs(b) > 3e38) expect(Math.abs(a), `${name}(${x})`).toBeGreaterThan(3e38);
      else expect(Math.abs(a - b), `${name}(${x}) is ${a}, not ${b}`).toBeLessThan(1e-5 * Math.max(0.1, Math.abs(b)));
    });
  });
});
