/** Expressions in statement position: `if`, `map` and `solve` there are statements, unless they are the value of a body. */
import type * as ast from './nodes.ts';

/** The branches of an `if` taken as statements: a value becomes a last statement. */
function demote(body: ast.Body): ast.Body {
  if (!body.value) return body;
  return {
    statements: [...body.statements, asStatement({ kind: 'expr', expr: body.value, span: body.value.span })],
    span: body.span,
  };
}

function ifStatement(expr: ast.IfExpr): ast.IfStmt {
  const chain: ast.IfExpr[] = [expr];
  let end: ast.Body | undefined;
  for (let next = expr.otherwise; next;) {
    if (!('kind' in next)) {
      end = demote(next);
      break;
    }
    chain.push(next);
    next = next.otherwise;
  }
  let otherwise: ast.Body | ast.IfStmt | undefined = end;
  for (const part of chain.reverse())
    otherwise = {
      kind: 'if',
      condition: part.condition,
      // oxlint-disable-next-line unicorn/no-thenable -- the branch of an `if`; nothing awaits a syntax tree
      then: demote(part.then),
      ...(otherwise ? { otherwise } : {}),
      span: part.span,
    };
  return otherwise as ast.IfStmt;
}

/** An expression in statement position. */
export function asStatement(stmt: ast.ExprStmt): ast.Stmt {
  const { expr, ...rest } = stmt;
  if (expr.parenthesized) return stmt;
  if (expr.kind === 'ifExpr') return { ...rest, ...ifStatement(expr) };
  if (expr.kind === 'map') return { ...rest, kind: 'mapStmt', map: expr };
  if (expr.kind === 'solveExpr') return { ...rest, kind: 'solve', solve: expr };
  return stmt;
}

/** Whether every branch of an `if` gives a value. */
export function givesValue(expr: ast.IfExpr): boolean {
  for (let part: ast.IfExpr = expr; ;) {
    if (!part.then.value || !part.otherwise) return false;
    if (!('kind' in part.otherwise)) return part.otherwise.value !== undefined;
    part = part.otherwise;
  }
}
