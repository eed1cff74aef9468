/** `saddle verify`: each proof holds where it should, and finds the fault that is planted for it, at its line. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { distance, sameBits } from '../../../cli/verify/checks.ts';
import { verifyGradients } from '../../../cli/verify/gradients.ts';
import { verifyResume } from '../../../cli/verify/resume.ts';
import { verifyTargets } from '../../../cli/verify/targets.ts';
import type { Bundle, Place } from '../../../compiler/bundle/format.ts';
import { Graph } from '../../../compiler/ir/tensor/graph.ts';
import { rewrite } from '../../../compiler/ir/tensor/rewrite.ts';
import type { Program } from '../../../compiler/ir/program.ts';
import { compile } from '../../../compiler/pipeline.ts';
import { op } from '../../../compiler/ops/table.ts';
import { Source, type Span } from '../../../compiler/source/source.ts';
import type { Backend } from '../../../runtime/backend.ts';
import { createReferenceBackend } from '../../../runtime/reference/backend.ts';
import { load } from '../../../runtime/session.ts';
import { inFolder } from '../data/refused.ts';
import { saddle } from './saddle.ts';

const text = `var a: f32[3] = [0.5, -1, 2]
var b: f32 = 1
var state: i32 = 0
fn feature(x) = tanh(x)
fn loss() = sum(exp(0.1 * feature(a)) * reverse(a, by: 0.5)) + b * stop(b) + b^3
train 8 {
  let value = loss()
  a <- a - 0.1 * grad(loss(), a)
  b <- b - 0.01
  state <- state + 1
  report value
}
`;
const moved = `var a: f32[3] = [0.5, -1, 2]
var b: f32 = 1
rule step(lr = 0.1) for (p, g) { p <- p - lr * g }
fn feature(x) = tanh(x)
fn loss() = sum(exp(0.1 * feature(a)) * reverse(a, by: 0.5)) + b * stop(b) + b^3
train 4 {
  update a, b by step() minimizing loss()
}
`;

function compiled(source: string): { program: Program; bundle: Bundle; locate: (span: Span) => Place } {
  const file = new Source('spec.opt', source);
  const result = compile(file, { readImport: () => undefined, dataInfo: () => undefined, set: new Map() });
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('; '));
  const locate = (span: Span) => {
    const at = file.position(span.start);
    return { file: file.name, ...at, text: file.line(at.line) };
  };
  return { program: result.value.program, bundle: result.value.bundle as Bundle, locate };
}

/** The program with every node of an op made a little wrong, as a faulty kernel would. */
function faulty(program: Program, name: string, factor: number): Program {
  const spoil = (graph: Graph, roots: Parameters<typeof rewrite>[1]) =>
    rewrite(graph, roots, (node) =>
      node.op === name ? graph.make('mul', [node, graph.constant(factor, node.type)]) : node,
    );
  const entries = program.entries.map((entry) => {
    const graph = new Graph(1_000_000);
    const outputs = entry.outputs.map((o) => ({ ...o, value: spoil(graph, [o.value])[0] }));
    const writes = entry.writes.map((w) => ({ ...w, value: spoil(graph, [w.value])[0] }));
    return { ...entry, outputs, writes };
  });
  return { ...program, entries };
}

describe('--targets', () => {
  const { program, bundle, locate } = compiled(text);
  const verify = (device: (p: Program) => Program) =>
    verifyTargets({
      program,
      tolerance: 1e-3,
      onDevice: async (p) => ({ bundle, backend: createReferenceBackend(device(p)) }),
      start: (b, backend) => load(b).start({ backend, seed: 1 }),
      locate,
    });
  it('agree where the device is right', async () => {
    const check = await verify((p) => p);
    expect(check).toMatchObject({ ok: true, diagnostics: [], details: { executions: expect.any(Number) as number } });
    expect(check.details.executions).toBeGreaterThanOrEqual(8);
  });
  it('name the first tensor that differs, at its line', async () => {
    const check = await verify((p) => faulty(p, 'tanh', 1.05));
    expect(check.ok).toBe(false);
    const [found] = check.diagnostics;
    expect(found.code).toBe('OPT714');
    expect(found.notes?.join()).toContain("the result of 'tanh'");
    expect(locate(found.span!).text).toContain('fn feature(x) = tanh(x)');
  });
  it('do not blame keys, which nobody computes on the device', async () => {
    const drawn = compiled(text.replace('  report value', '  sample z ~ normal f32[3]\n  report drawn = sum(z) + sum(tanh(z))\n  report value')); // prettier-ignore
    const device = (p: Program) => faulty(p === drawn.program ? p : faulty(p, 'random_key', 3), 'tanh', 1.05);
    const check = await verifyTargets({
      program: drawn.program,
      tolerance: 1e-3,
      onDevice: async (p) => ({ bundle: drawn.bundle, backend: createReferenceBackend(device(p)) }),
      start: (b, backend) => load(b).start({ backend, seed: 1 }),
      locate: drawn.locate,
    });
    expect(check.ok).toBe(false);
    expect(check.diagnostics[0].notes?.join()).not.toContain('random_key');
  });
  it('say so where only the kernels of the whole step are wrong', async () => {
    const check = await verify((p) => (p === program ? faulty(p, 'tanh', 1.05) : p));
    expect(check.diagnostics[0].notes?.join()).toContain('every intermediate value agrees');
  });
});

describe('--gradients', () => {
  const verify = (source: string) => {
    const { program, bundle, locate } = compiled(source);
    const start = (backend: Backend) => load(bundle).start({ backend, seed: 1 });
    return verifyGradients({ program, start, locate, directions: 2 });
  };
  it('agree with differences of what is meant: stopped values stay, reversed ones go the other way', async () => {
    const check = await verify(moved);
    expect(check.diagnostics).toEqual([]);
    expect(check.ok).toBe(true);
    const [objective] = check.details.objectives as { difference: number; line: number }[];
    expect(objective.difference).toBeLessThan(1e-6);
    expect(objective.line).toBe(7);
  });
  it('find a wrong derivative', async () => {
    const record = op('tanh') as { vjp: unknown };
    const right = record.vjp as (ctx: unknown, g: unknown) => unknown;
    record.vjp = op('exp').vjp; // of another function
    try {
      const check = await verify(moved);
      expect(check.ok).toBe(false);
      expect(check.diagnostics[0]).toMatchObject({ code: 'OPT715' });
      expect(check.diagnostics[0].message).toContain('central differences say');
    } finally {
      record.vjp = right;
    }
  });
  it('take a gradient clause at its word: the value goes the way that it says', async () => {
    for (const clause of ['sign(x) gradient g -> g', 'tanh(x) gradient g -> 3 * g * cos(x)']) {
      const check = await verify(moved.replace('fn feature(x) = tanh(x)', `fn feature(x) = ${clause}`));
      expect(check.diagnostics).toEqual([]);
      expect(check.lines[0]).toContain('agrees within');
      const [objective] = check.details.objectives as { difference: number; derivative: number }[];
      expect(objective.difference).toBeLessThan(1e-6);
      expect(Math.abs(objective.derivative)).toBeGreaterThan(1e-3);
    }
  });
  it('find a wrong derivative around a gradient clause', async () => {
    const record = op('mul') as { vjp: unknown };
    const right = record.vjp as (ctx: unknown, g: unknown) => unknown;
    record.vjp = op('add').vjp;
    try {
      const check = await verify(moved.replace('fn feature(x) = tanh(x)', 'fn feature(x) = sign(x) gradient g -> g'));
      expect(check.ok).toBe(false);
    } finally {
      record.vjp = right;
    }
  });
  it('leave out a clause within a loop, and say so', async () => {
    const check = await verify(
      moved.replace(
        'fn feature(x) = tanh(x)',
        'fn one(x) = sign(x) gradient g -> g\nfn feature(x) = scan h = x for i in 0..20 { next one(h) }',
      ),
    );
    expect(check.ok).toBe(true);
    expect(check.lines[0]).toContain('not compared, it has a gradient clause within a loop or a choice');
    expect(check.nothing).toBe(true);
    expect(check.details).toMatchObject({ compared: 0 });
  });
  it('leave out a clause written with clauses, for its own reason', async () => {
    const check = await verify(
      moved.replace(
        'fn feature(x) = tanh(x)',
        'fn two(x) = 2 * stop(x) gradient g -> 2 * g\nfn feature(x) = sign(x) gradient g -> two(g)',
      ),
    );
    expect(check.lines[0]).toContain('its gradient clause is written by fns that have clauses of their own');
  });
});

describe('--resume', () => {
  const { program, bundle } = compiled(text);
  const start = (resume?: Uint8Array) =>
    load(bundle).start({ backend: createReferenceBackend(program), seed: 1, resume });
  it('ends in the same bits', async () =>
    expect(await verifyResume(bundle, start)).toMatchObject({ ok: true, details: { steps: 8, split: 4 } }));
  it('finds state that a checkpoint has lost', async () => {
    const check = await verifyResume(bundle, async (resume) => {
      const session = await start(resume);
      if (resume) await session.set('state', { state: [0] });
      return session;
    });
    expect(check.ok).toBe(false);
    expect(check.diagnostics[0]).toMatchObject({ code: 'OPT713' });
    expect(check.diagnostics[0].message).toContain("cell 'state'");
  });
});

describe('the command', () => {
  const inProject = <T>(use: (folder: string) => Promise<T>) =>
    inFolder((folder) => {
      writeFileSync(path.join(folder, 'spec.opt'), moved);
      return use(folder);
    });
  it('proves what it is asked for, and writes nothing', () =>
    inProject(async (folder) => {
      const { code, stdout } = await saddle(['verify', 'spec.opt', '--device', 'reference', '--json'], folder);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        status: 'ok',
        file: 'spec.opt',
        checks: { resume: { ok: true, steps: 6 }, gradients: { ok: true } },
      });
      const refused = await saddle(['verify', 'spec.opt', '--device', 'reference', '--targets'], folder);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain('is no device');
      const wrong = await saddle(['verify', 'spec.opt', '--tolerance', '-1'], folder);
      expect(wrong.code).toBe(2);
    }));
});

it('distances are relative to the size of a tensor; bits are bits', () => {
  expect(distance([1, 2], [1, 2])).toBe(0);
  expect(distance([101], [100])).toBeCloseTo(0.01, 6);
  expect(distance([NaN], [1])).toBe(Infinity);
  expect(distance([NaN, Infinity], [NaN, Infinity])).toBe(0);
  expect(distance([1e-9], [0])).toBeLessThan(1e-5);
  expect(sameBits(Float32Array.of(0), Float32Array.of(-0))).toBe(false);
  expect(sameBits(Float32Array.of(NaN), Float32Array.of(NaN))).toBe(true);
  expect(sameBits(Float32Array.of(1), Float32Array.of(1, 2))).toBe(false);
});
