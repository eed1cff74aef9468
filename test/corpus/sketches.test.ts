/**
 * Sketches run to their end at reduced size in float64: every run of them succeeds, every number they record is finite
 * (but for runs that `may fail`), and the claims that do not depend on how long was trained hold. A claim that is not listed is one about results of whole trainings.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runSpec } from '../../cli/run.ts';

interface Reduced {
  /** Replacements in the text: sizes that no dim names. */
  readonly smaller?: readonly (readonly [string, string])[];
  readonly set?: readonly string[];
  readonly steps?: number;
  /** Beginnings of the claims that hold at any size. */
  readonly holds: readonly string[];
}

const sketches: Readonly<Record<string, Reduced>> = {
  active_views: { smaller: [['0..2000', '0..40']], set: ['B=8', 'H=12'], holds: ['policy1 ~= random1'] },
  adadagrad: {
    set: ['EPOCHS=1'],
    smaller: [
      ['digits:train"', 'digits:train"[0..200]'],
      ['digits:test"', 'digits:test"[0..100]'],
    ],
    holds: ['nondecreasing(inner.rows)'],
  },
  adjoint_dpm: {
    smaller: [
      ['600', '160'],
      ['STARTS = 12', 'STARTS = 4'],
    ],
    holds: ['n20.cos_rho', 'n20.cos_disc', 'n80.err_rho', 'peak_bytes(adjoint80.step)'],
  },
  alignprop: {
    set: ['B=4', 'K=5'],
    smaller: [
      ['99 - 5 * (0..K)', '99 - 20 * (0..K)'],
      ['0..256 as', '0..16 as'],
      ['0..512', '0..16'],
      ['at 0, 15, 30, end', 'at 0, end'],
      ['at 0, 15, 30, 60, 120, end', 'at 0, end'],
      [' at 30', ' at 0'],
      [' at 30', ' at 0'],
      [' at 30', ' at 0'],
      [' at 60', ' at 0'],
    ],
    holds: ['random.moved == 0'],
  },
  apg: { set: ['N=60'], holds: ['cfg_excess', 'apg_excess', 'shift_ratio', 'hits', 'apart'] },
  cgs: {
    steps: 1,
    smaller: [
      ['graphs(16, 20)', 'graphs(2, 8)'],
      ['graphs(128, 20)', 'graphs(3, 8)'],
      ['graphs(64, 40)', 'graphs(2, 12)'],
    ],
    holds: ['start.gap', 'max(cgs.column)'],
  },
  ctm: { set: ['B=8', 'N=6'], smaller: [['4096', '32']], holds: [] },
  dann: { set: ['N=20'], holds: ['dann.grl_gap'] },
  fdpg: {
    set: ['T=3', 'V=4', 'B=16'],
    smaller: [['[216, 36, 6, 1]', '[16, 4, 1]']],
    holds: ['a.identity', 'js.start'],
  },
  fira: {
    set: ['B=16'],
    smaller: [
      ['4096', '64'],
      ['1024', '32'],
      ['gap: dim = 100', 'gap: dim = 2'],
    ],
    holds: ['bytes(fira4.state)', 'max(fira4.leak)'],
  },
  forward_gnn: { set: ['N=60', 'TRAIN=12', 'TEST=30'], holds: ['sf2.cross == 0'] },
  gbnn: { set: ['TRAIN=120'], smaller: [['repeat 50', 'repeat 10']], holds: ['boost.assembly', 'mean(boost.fell'] },
  jlcm: {
    smaller: [
      ['0..512', '0..64'],
      ['0..30 {', '0..5 {'],
    ],
    holds: [],
  },
  // equal to dense attention, its schedule, and one evaluation a step where its output is kept: none depends on the length
  lightseq: { set: ['N=80'], holds: ['r.', 'calls(', 'aware.size_of_g'] },
  lpinn: {
    smaller: [
      ['0..32) / 32', '0..12) / 12'],
      ['0..20) / 19', '0..6) / 5'],
    ],
    holds: [],
  },
  'm-fac': {
    smaller: [
      ['1000', '60'],
      ['1000', '60'],
      ['1000', '60'],
      ['1000', '60'],
      ['train[512]', 'train[24]'],
    ],
    holds: ['w.error', 'max(opt.drift)'],
  },
  phyll: { set: ['B=20', 'H=10'], smaller: [['repeat 10', 'repeat 2']], holds: [] },
  // ten oracle calls: far below the best of some steps already, where a target that moves along with the weights stays at the start
  sso: {
    set: ['n=24', 'd=4'],
    steps: 10,
    smaller: [
      ['run s100', '// run s100'],
      ['run g100', '// run g100'],
      ['expect s100.loss', '// expect s100.loss'],
      ['expect max(s100.rise)', '// expect max(s100.rise)'],
      ['X10, y10, m: 10)', 'X10, y10, m: 60)'],
      ['eta: 4, m: 100)', 'eta: 4, m: 30)'],
      ['-2, 3, 21)', '-2, 2, 5)'],
      ['-2, 3, 21)', '-2, 2, 5)'],
      ['-2, 3, 21)', '-2, 2, 5)'],
    ],
    holds: ['s10.loss', 'max(s10.rise)', 'max(slog.rise)', 'norm(one.theta'],
  },
  tpsgd: { set: ['H=12'], holds: [] },
};

const corpus = join(import.meta.dirname, 'sketches');
const scratch = join(import.meta.dirname, '../../node_modules/.cache', `sketches-${process.pid}`);
beforeAll(() => {
  mkdirSync(scratch, { recursive: true });
  copyFileSync(join(import.meta.dirname, '../../examples/data/breast_cancer.csv'), join(scratch, 'breast_cancer.csv'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The text with its sizes replaced, and claims over one seed of theirs. */
function reduced(name: string, { smaller = [] }: Reduced): string {
  let text = readFileSync(join(corpus, `${name}.opt`), 'utf8');
  for (const [from, to] of smaller) {
    expect(text, `${from} in ${name}`).toContain(from);
    text = text.replace(from, to);
  }
  return text.replaceAll(/over seeds (\d+)\.\.=\d+/g, 'over seeds $1..=$1');
}

test.each(Object.entries(sketches))('%s', { timeout: 300_000 }, async (name, how) => {
  const file = join(scratch, `${name}.opt`);
  writeFileSync(file, reduced(name, how));
  const options = {
    set: how.set ?? [],
    data: [],
    steps: String(how.steps ?? 3),
    device: 'reference',
    quiet: true,
    errorsOnly: true,
  };
  const { document } = await runSpec(file, options, 'test');
  expect(document.error, JSON.stringify(document.diagnostics)).toBeUndefined();
  expect(document.diagnostics ?? []).toEqual([]);
  expect(Object.entries(document.metrics ?? {}).filter(([, value]) => !Number.isFinite(value))).toEqual([]);
  expect(Object.keys(document.metrics ?? {}).length).toBeGreaterThan(0);
  for (const start of how.holds) {
    const claims = (document.expects ?? []).filter((claim) => claim.text.startsWith(start));
    expect(claims.length, start).toBeGreaterThan(0);
    for (const claim of claims) expect(claim.pass, JSON.stringify(claim)).toBe(true);
  }
});
