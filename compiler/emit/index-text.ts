/** Index expressions as WGSL: 32-bit signed arithmetic; quotients of numbers that are never negative, as shifts and masks where they can be. */
import { InternalError } from '../diagnostics/diagnostic.ts';
import type { IndexExpr } from '../ir/kernel/index-expr.ts';
import { names } from './names.ts';

/** i32 expression; parenthesized where it is more than one term. */
export function indexText(e: IndexExpr): string {
  const parts: string[] = [];
  for (const { atom, coef } of e.terms) {
    let text: string;
    if (atom.kind === 'var') text = names.index(atom.id);
    else if (atom.kind === 'value') text = names.value(atom.value);
    else if (atom.kind === 'clamp') text = clampText(indexText(atom.of), atom.of, atom.lo, atom.hi);
    else text = quotient(atom);
    parts.push(coef === 1 ? text : `${text} * ${coef}`);
  }
  if (e.constant !== 0 || parts.length === 0) parts.push(String(e.constant));
  return parts.length === 1 && !parts[0].includes(' ') ? parts[0] : `(${parts.join(' + ')})`;
}

function quotient(atom: { kind: 'div' | 'mod'; of: IndexExpr; by: number }): string {
  if (atom.of.lo < 0) throw new InternalError(`index ${atom.of.key} may be negative where it is divided`);
  const of = indexText(atom.of);
  const bits = Math.log2(atom.by);
  if (Number.isInteger(bits)) return atom.kind === 'div' ? `(${of} >> ${bits}u)` : `(${of} & ${atom.by - 1})`;
  return `i32(u32(${of}) ${atom.kind === 'div' ? '/' : '%'} ${atom.by}u)`;
}

function clampText(text: string, of: IndexExpr, lo: number, hi: number): string {
  if (of.lo >= lo) return `min(${text}, ${hi})`;
  if (of.hi <= hi) return `max(${text}, ${lo})`;
  return `clamp(${text}, ${lo}, ${hi})`;
}
