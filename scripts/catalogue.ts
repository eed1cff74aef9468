/**
 * Writes the tables of a README from the document of `saddle test … --solvers --json`:
 *
 *   saddle test examples/reference --solvers --json > grades.json
 *   npx tsx scripts/catalogue.ts grades.json examples/reference/README.md
 *
 * What stands below the line `<!-- table -->` is replaced.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { totalsOf, type Graded } from '../cli/grade/command.ts';

interface Document {
  readonly budget: { readonly steps: number; readonly seconds: number };
  readonly problems: readonly Graded[];
}

const MARK = '<!-- table -->';
const [from, to] = process.argv.slice(2);
const { budget, problems } = JSON.parse(readFileSync(from, 'utf8')) as Document;
const graded = problems.filter((p) => p.problem !== undefined);
const number = (n: number | undefined, digits = 0): string => (n === undefined ? '' : n.toFixed(digits));
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const solvers = totalsOf(problems).map((t) =>
  row([`\`${t.solver}\``, `${t.solved} of ${t.of}`, number(t.iterations), number(t.points), number(t.seconds, 2)]),
);

/** What is shown of a solver that has not solved a problem. */
const MISSED = { stopped: 'stops elsewhere', 'all steps': 'steps', failed: 'fails', time: 'time', refused: '', interrupted: '' }; // prettier-ignore
const base = path.dirname(to);
const rows = graded.map(({ file, grades }) => {
  const [own, ...others] = grades;
  const solved = others
    .filter((g) => g.solved)
    .map((g) => `\`${g.solver.slice(0, -2)}\` ${g.iterations} / ${g.points}`);
  const missed = others
    .filter((g) => !g.solved && g.ended !== 'refused')
    .map((g) => `\`${g.solver.slice(0, -2)}\` (${MISSED[g.ended]})`);
  const name = path.relative(base, file).replaceAll('\\', '/');
  const first = `\`${own.solver}\` ${own.iterations} / ${own.points}${own.solved ? '' : ' **not solved**'}`;
  return row([`[${name.replace(/\.opt$/, '')}](${name})`, first, solved.join(', '), missed.join(', ')]);
});

const day = new Date().toISOString().slice(0, 10);
const text = `${graded.length} problems, made on ${day} by the float64 reference interpreter on ${cpus().length} cores of ${cpus()[0]?.model.trim()} (node ${process.version}), each solver
with its defaults for at most ${budget.steps} steps and ${budget.seconds} s:

    saddle test ${base} --solvers --seconds ${budget.seconds} --json > grades.json && npx tsx scripts/catalogue.ts grades.json ${to}

Iterations are steps of the solver; points are the different points at which an objective, or a derivative of it, was computed. Medians are over the problems that it solved.
That a solver does not solve a problem by its defaults says something of the defaults: steps that fit no problem of another scale, penalties that leave an error of their own size.

| solver, with its defaults | solved | median iterations | median points | median s |
|---|---|---|---|---|
${solvers.join('\n')}

By problem: the solver of the file as it is written, then the others with iterations / points, then those that did not solve it and how they ended (all steps taken, time over, stopped at
a point that is not the answer, failed).

| problem | its own | solved by | not solved by |
|---|---|---|---|
${rows.join('\n')}
`;
const readme = readFileSync(to, 'utf8');
writeFileSync(to, `${readme.slice(0, readme.indexOf(MARK) + MARK.length)}\n\n${text}`);
