/**
 * Runs the problems of `cutest` and `rows`, writes the table of the README to standard output, and decides the claims on sums over problems, which no one file can hold:
 *
 *   node examples/adasketch/table.mjs [--device reference] [--blocks] [NAME…]
 *
 * With --blocks single rows are left out: on the reference they take hours. Exits with 1 where a claim does not hold, of a file or of the sums.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const here = import.meta.dirname;
const cli = path.join(here, '../../dist/cli.js');
const args = process.argv.slice(2);
const blocksOnly = args.includes('--blocks');
const at = args.indexOf('--device');
const device = at >= 0 ? args[at + 1] : 'auto';
const named = args.filter((a, i) => !a.startsWith('--') && (at < 0 || i !== at + 1));
const SEEDS = [1, 2, 3];

/** The 25 that the sums are about: those that a prototype was known to solve. */
const GATE = new Set('bt2 bt3 bt4 bt5 bt6 bt9 bt10 bt11 bt12 hs6 hs7 hs8 hs28 hs40 hs42 hs48 hs51 hs52 hs56 hs77 hs78 hs79 hs100lnp genhs28 mwright'.split(' ')); // prettier-ignore

/** Last values of every run and seed of a file, by `RUN seed`, with `steps`, the steps taken; and what its claims came to. */
function runOf(file) {
  const out = mkdtempSync(path.join(tmpdir(), 'adasketch-'));
  try {
    spawnSync(process.execPath, [cli, 'run', file, '--device', device, '--out', out, '--quiet'], { stdio: ['ignore', 'ignore', 'inherit'] }); // prettier-ignore
    const last = new Map();
    const log = path.join(out, 'log.jsonl');
    for (const line of existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []) {
      const { run, seed = 1, step, ...values } = JSON.parse(line);
      last.set(`${run} ${seed}`, { ...last.get(`${run} ${seed}`), ...values, steps: step });
    }
    const { expects = [], solves = [] } = JSON.parse(readFileSync(path.join(out, 'summary.json'), 'utf8'));
    return { last, failing: expects.filter((e) => !e.pass), solves };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

const whole = (n) => (n === undefined ? '' : Math.round(n).toLocaleString('en'));
const digits = (n) => (n === undefined ? '' : String(Number(n.toPrecision(7))));
/** Conditions to 1e-4. */
const solved = (result, run, seed) => (result.last.get(`${run} ${seed}`)?.kkt ?? Infinity) <= 1e-4;
const solvedIn = (result, run) => SEEDS.filter((seed) => solved(result, run, seed)).length;
/** How many of the seeds that the file was run with solve it. */
const count = (result, run) =>
  `${solvedIn(result, run)} of ${SEEDS.filter((s) => result.last.has(`${run} ${s}`)).length}`;

const folder = path.join(here, 'cutest');
const names = readdirSync(folder).map((f) => path.basename(f, '.opt')).filter((n) => named.length === 0 || named.includes(n)); // prettier-ignore
const order = (n) => n.replace(/\d+/, (d) => d.padStart(4, '0'));
const results = [];
console.log(`| problem | optimum | blocks: solved | objective | steps | sketches | evaluations |${blocksOnly ? '' : ' rows: solved | steps | sketches |'} classical: steps | evaluations |`); // prettier-ignore
console.log(`|---|---|---|---|---|---|---|${blocksOnly ? '' : '---|---|---|'}---|---|`);
let wrong = 0;
for (const name of names.toSorted((a, b) => (order(a) < order(b) ? -1 : 1))) {
  const file = path.join(folder, `${name}.opt`);
  const [, optimum] = / ~= (\S+) within/.exec(readFileSync(file, 'utf8')) ?? [];
  const block = runOf(file);
  const row = blocksOnly ? undefined : runOf(path.join(here, 'rows', `${name}.opt`));
  results.push({ name, block, row });
  for (const { text, value } of [...block.failing, ...(row?.failing ?? [])]) {
    wrong++;
    console.error(`${name}: ${text} does not hold: ${value}`);
  }
  const b = block.last.get('block 1');
  const c = block.last.get('classical 1');
  const r = row?.last.get('row 1');
  const classical = solvedIn(block, 'classical') > 0 ? [whole(c.steps), whole(c.evals)] : ['fails', ''];
  const byBlocks = [count(block, 'block'), digits(b?.objective), whole(b?.steps), whole(b?.inner), whole(b?.evals)]; // prettier-ignore
  const byRows = row ? [count(row, 'row'), whole(r?.steps), whole(r?.inner)] : [];
  console.log(`| ${[name.toUpperCase(), optimum ?? '', ...byBlocks, ...byRows, ...classical].join(' | ')} |`);
}

/** A claim on sums over the 25, for every seed. */
function claim(text, of) {
  for (const seed of SEEDS) {
    const { left, most } = of(seed);
    const holds = left <= most;
    if (!holds) wrong++;
    console.log(`seed ${seed}: ${text}: ${whole(left)} <= ${whole(most)} ${holds ? 'holds' : 'DOES NOT HOLD'}`);
  }
}
const total = (list, value) => list.reduce((sum, r) => sum + value(r), 0);
const gate = results.filter((r) => GATE.has(r.name));
console.log('');
for (const [kind, run] of blocksOnly ? [['block', 'block']] : [['block', 'block'], ['row', 'row']]) // prettier-ignore
  for (const seed of SEEDS)
    console.log(`seed ${seed}: solved by ${run}s: ${results.filter((r) => solved(r[kind], run, seed)).length} of ${results.length}, of the 25 ${gate.filter((r) => solved(r[kind], run, seed)).length} of ${gate.length}`); // prettier-ignore
claim('evaluations of blocks at most 0.8 of the classical ones, on what both solve', (seed) => {
  const both = gate.filter((r) => ['block', 'classical'].every((run) => solved(r.block, run, seed)));
  const evals = (run) => total(both, (r) => r.block.last.get(`${run} ${seed}`).evals);
  return { left: evals('block'), most: 0.8 * evals('classical') };
});
if (!blocksOnly)
  claim('sketches of blocks at most a tenth of those of rows', (seed) => ({
    left: total(gate, (r) => r.block.last.get(`block ${seed}`)?.inner ?? Infinity),
    most: 0.1 * total(gate, (r) => r.row.last.get(`row ${seed}`)?.inner ?? 0),
  }));
process.exit(wrong > 0 ? 1 : 0);
