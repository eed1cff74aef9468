/** Problems as mathematics: `saddle explain FILE --math`. One block for each problem of the file, in Unicode text or as LaTeX. */
import { atom, nameNotation, notation, type Notation, type Written } from './math-expressions.ts';
import type * as ast from './nodes.ts';

export type MathForm = 'text' | 'latex';

/** All problems of a module; '' where there is none. */
export function mathOf(module: ast.Module, form: MathForm, written: Written): string {
  const problems = module.statements.flatMap(problemsIn);
  const print = form === 'text' ? problemText : problemLatex;
  return problems.map((p) => print(p, written)).join('\n');
}

/** Problems stand at the top of a file or in a trial. */
function problemsIn(stmt: ast.Stmt): readonly ast.ProblemDecl[] {
  if (stmt.kind === 'problem') return [stmt];
  return stmt.kind === 'trial' ? (stmt.body?.statements ?? []).flatMap(problemsIn) : [];
}

interface Level {
  readonly variables: readonly ast.OverStmt[];
  readonly objectives: readonly ast.ObjectiveStmt[];
  readonly constraints: readonly ast.ConstraintStmt[];
  readonly players: readonly ast.PlayerStmt[];
  readonly lower: readonly ast.LowerLevelStmt[];
  readonly values: readonly (ast.LetStmt | ast.SampleStmt | ast.BatchStmt | ast.FnDecl)[];
}

function levelOf(statements: readonly ast.Stmt[]): Level {
  const of = <K extends ast.Stmt['kind']>(...kinds: readonly K[]) =>
    statements.filter((s): s is Extract<ast.Stmt, { kind: K }> => (kinds as readonly string[]).includes(s.kind));
  return {
    variables: of('over'),
    objectives: of('objective'),
    constraints: of('constraint'),
    players: of('player'),
    lower: of('lowerLevel'),
    values: of('let', 'sample', 'batch', 'fn'),
  };
}

/** x ∈ ℝⁿ, or the set that it is in. */
function membership(v: ast.OverStmt, written: Written): Notation {
  const name = nameNotation(v.name.text);
  const set = v.set ? notation(v.set, written) : undefined;
  const space = v.type ? spaceOf(v.type, written) : undefined;
  const inside = [space, set].filter((s) => s !== undefined);
  if (inside.length === 0) return name;
  return atom(`${name.text} ∈ ${inside.map((s) => s.text).join(' ∩ ')}`, `${name.latex} \\in ${inside.map((s) => s.latex).join(' \\cap ')}`); // prettier-ignore
}

const high: Readonly<Record<string, string>> = {
  0: '⁰', 1: '¹', 2: '²', 3: '³', 4: '⁴', 5: '⁵', 6: '⁶', 7: '⁷', 8: '⁸', 9: '⁹', n: 'ⁿ', m: 'ᵐ', k: 'ᵏ', d: 'ᵈ', p: 'ᵖ', T: 'ᵀ', N: 'ᴺ', '×': 'ˣ',
}; // prettier-ignore

function spaceOf(type: ast.TypeExpr, written: Written): Notation {
  const [text, latex] =
    type.dtype.text === 'bool'
      ? ['{0, 1}', '\\{0, 1\\}']
      : type.dtype.text.startsWith('f')
        ? ['ℝ', '\\mathbb{R}']
        : ['ℤ', '\\mathbb{Z}'];
  const dims = (type.dims ?? []).map((d) => ('kind' in d && d.kind === 'star' ? atom('*') : notation(d as ast.Expr, written))); // prettier-ignore
  if (dims.length === 0) return atom(text, latex);
  const size = dims.map((d) => d.text).join('×');
  const raised = [...size].every((c) => c in high) ? [...size].map((c) => high[c]).join('') : `^(${size})`;
  return atom(`${text}${raised}`, `${latex}^{${dims.map((d) => d.latex).join(' \\times ')}}`);
}

function relation(c: ast.ConstraintStmt, written: Written): Notation {
  const body = notation(c.relation, written);
  if (!c.forall) return body;
  const [g, over] = [nameNotation(c.forall.name.text), notation(c.forall.over, written)];
  return atom(`${body.text}  for all ${g.text} ∈ ${over.text}`, `${body.latex} \\quad \\forall ${g.latex} \\in ${over.latex}`); // prettier-ignore
}

function definition(s: Level['values'][number], written: Written): Notation | undefined {
  if (s.kind === 'let') {
    const value = notation(s.value, written);
    const name = s.pattern.kind === 'bind' ? nameNotation(s.pattern.name.text) : atom(written(s.pattern.span));
    return atom(`${name.text} = ${value.text}`, `${name.latex} = ${value.latex}`);
  }
  if (s.kind === 'sample') {
    const name = nameNotation(s.name.text);
    const draw = written(s.draw.span);
    return atom(`${name.text} ~ ${draw}`, `${name.latex} \\sim \\texttt{${draw.replace(/[_{}%#&$]/g, '\\$&')}}`);
  }
  if (s.kind === 'batch') {
    const name = nameNotation(s.name.text);
    const [of, rows] = batchNotation(s.value, written);
    const count = rows ? [`${rows.text} rows of `, `${rows.latex} \\text{ rows of } `] : ['', ''];
    return atom(`${name.text}: ${count[0]}${of.text}`, `${name.latex}\\colon ${count[1]}${of.latex}`);
  }
  if (s.body.statements.length > 0 || !s.body.value) return undefined;
  const value = notation(s.body.value, written);
  const [name, params] = [nameNotation(s.name.text), (s.params ?? []).map((p) => nameNotation(p.name.text))];
  const list = (pick: (p: Notation) => string) => (params.length > 0 ? `(${params.map(pick).join(', ')})` : '');
  return atom(`${name.text}${list((p) => p.text)} = ${value.text}`, `${name.latex}${list((p) => p.latex)} = ${value.latex}`); // prettier-ignore
}

/** The data set of a batch and, where it is written so, how many rows of it. */
function batchNotation(value: ast.Expr, written: Written): readonly [Notation, Notation | undefined] {
  if (value.kind !== 'index' || value.items.length !== 1 || value.items[0].kind !== 'at')
    return [notation(value, written), undefined];
  return [notation(value.object, written), notation(value.items[0].expr, written)];
}

const labelled = (name: ast.Name | undefined, body: Notation): Notation => {
  if (!name) return body;
  const n = nameNotation(name.text);
  return atom(`${n.text} = ${body.text}`, `${n.latex} = ${body.latex}`);
};

// ---------------------------------------------------------------- text

function problemText(p: ast.ProblemDecl, written: Written): string {
  const params = p.params.length > 0 ? `(${p.params.map((x) => nameNotation(x.name.text).text).join(', ')})` : '';
  return [`${p.name.text}${params}`, ...levelLines(levelOf(p.body.statements), written, '  '), ''].join('\n');
}

function levelLines(level: Level, written: Written, indent: string): string[] {
  const lines: string[] = [];
  const over = level.variables.map((v) => membership(v, written).text).join(', ');
  for (const o of level.objectives) {
    lines.push(`${indent}${o.sense}${over === '' ? '' : ` over ${over}`}`);
    lines.push(`${indent}    ${labelled(o.name, notation(o.value, written)).text}`);
  }
  if (level.objectives.length === 0 && over !== '') lines.push(`${indent}variables ${over}`);
  for (const player of level.players) {
    const moves = player.moves.map((m) => notation(m, written).text).join(', ');
    lines.push(`${indent}${player.name.text} ${player.sense} over ${moves}`);
    lines.push(`${indent}    ${notation(player.value, written).text}`);
  }
  if (level.constraints.length > 0) {
    lines.push(`${indent}subject to`);
    const names = level.constraints.map((c) => (c.name ? `${c.name.text}:` : ''));
    const width = Math.max(...names.map((n) => n.length));
    level.constraints.forEach((c, k) => lines.push(`${indent}    ${names[k].padEnd(width)}${width > 0 ? ' ' : ''}${relation(c, written).text}`)); // prettier-ignore
  }
  for (const lower of level.lower) {
    lines.push(`${indent}where ${lower.variables.map((v) => nameNotation(v.text).text).join(', ')} solves`);
    lines.push(...levelLines(levelOf(lower.body.statements), written, `${indent}    `));
  }
  const values = level.values.flatMap((s) => definition(s, written) ?? []);
  if (values.length > 0) lines.push(`${indent}with`, ...values.map((v) => `${indent}    ${v.text}`));
  return lines;
}

// ---------------------------------------------------------------- LaTeX

function problemLatex(p: ast.ProblemDecl, written: Written): string {
  const rows = levelRows(levelOf(p.body.statements), written);
  return [`% ${p.name.text}`, '\\begin{aligned}', rows.map((row) => `  ${row}`).join(' \\\\\n'), '\\end{aligned}', ''].join('\n'); // prettier-ignore
}

function levelRows(level: Level, written: Written): string[] {
  const rows: string[] = [];
  const over = level.variables.map((v) => membership(v, written).latex).join(',\\ ');
  const operator = (sense: string) => (sense.startsWith('min') ? '\\min' : '\\max');
  for (const o of level.objectives)
    rows.push(`${operator(o.sense)}_{${over}} \\quad & ${labelled(o.name, notation(o.value, written)).latex}`);
  if (level.objectives.length === 0 && over !== '') rows.push(`& ${over}`);
  for (const player of level.players) {
    const moves = player.moves.map((m) => notation(m, written).latex).join(', ');
    rows.push(`\\text{${player.name.text.replace(/_/g, '\\_')}:}\\ ${operator(player.sense)}_{${moves}} \\quad & ${notation(player.value, written).latex}`); // prettier-ignore
  }
  level.constraints.forEach((c, k) => {
    const name = c.name ? ` && \\text{(${c.name.text.replace(/_/g, '\\_')})}` : '';
    rows.push(`${k === 0 ? '\\text{s.t.}' : ''} \\quad & ${relation(c, written).latex}${name}`);
  });
  for (const lower of level.lower) {
    const names = lower.variables.map((v) => nameNotation(v.text).latex).join(', ');
    const inner = levelRows(levelOf(lower.body.statements), written);
    rows.push(`\\text{where } ${names} \\text{ solves} \\quad & \\begin{aligned}[t] ${inner.join(' \\\\ ')} \\end{aligned}`); // prettier-ignore
  }
  level.values
    .flatMap((s) => definition(s, written) ?? [])
    .forEach((v, k) => {
      rows.push(`${k === 0 ? '\\text{with}' : ''} \\quad & ${v.latex}`);
    });
  return rows;
}
