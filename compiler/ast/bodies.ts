/** Bodies within statements: where text that belongs to the body around it goes on. Templates, problems and expressions have bodies of their own, which are not among them. */
import type * as ast from './nodes.ts';

/** The bodies of a statement, those of all branches of an `if` among them. */
export function bodiesOf(stmt: ast.Stmt): ast.Body[] {
  switch (stmt.kind) {
    case 'train':
    case 'eval':
    case 'repeat':
    case 'while':
    case 'for':
    case 'every':
    case 'first':
    case 'together':
      return [stmt.body];
    case 'if': {
      const { then, otherwise } = stmt;
      return [then, ...(!otherwise ? [] : 'kind' in otherwise ? bodiesOf(otherwise) : [otherwise])];
    }
    default:
      return [];
  }
}

/** The statements of a body and of the bodies within, in the order of the text. */
export function statementsWithin(body: ast.Body): ast.Stmt[] {
  return body.statements.flatMap((stmt) => [stmt, ...bodiesOf(stmt).flatMap(statementsWithin)]);
}
