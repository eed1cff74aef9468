/**
 * Expressions as mathematics, in Unicode text and in LaTeX at once. What mathematics has no usual sign for stays as it is written, as code. Pure notation:
 * nothing is evaluated or simplified, so that what is printed is what was declared.
 */
import type { Span } from '../source/source.ts';
import type * as ast from './nodes.ts';

/** One text in both notations; `level` says how tightly its outermost sign binds. */
export interface Notation {
  readonly text: string;
  readonly latex: string;
  readonly level: number;
}

/** Text of a span of the source. */
export type Written = (span: Span) => string;

const RELATION = 0;
const SUM = 1;
const PRODUCT = 2;
const SIGN = 3;
const POWER = 4;
const ATOM = 5;

const greek: Readonly<Record<string, string>> = {
  alpha: 'α', beta: 'β', gamma: 'γ', delta: 'δ', eps: 'ε', epsilon: 'ε', zeta: 'ζ', eta: 'η', theta: 'θ', kappa: 'κ', lambda: 'λ', mu: 'μ', nu: 'ν',
  xi: 'ξ', pi: 'π', rho: 'ρ', sigma: 'σ', tau: 'τ', phi: 'φ', chi: 'χ', psi: 'ψ', omega: 'ω',
}; // prettier-ignore
const digits = { low: '₀₁₂₃₄₅₆₇₈₉', high: '⁰¹²³⁴⁵⁶⁷⁸⁹' };
const named = new Set(['exp', 'log', 'sin', 'cos', 'tan', 'tanh', 'sinh', 'cosh', 'max', 'min']);

export const atom = (text: string, latex = text): Notation => ({ text, latex, level: ATOM });

const inDigits = (number: string, set: keyof typeof digits): string =>
  [...number].map((d) => digits[set][Number(d)]).join('');

/** `theta` is θ, `x1` has an index, `w_max` too; other words stand upright in LaTeX. */
export function nameNotation(name: string): Notation {
  const indexed = /^([A-Za-z]+)_?(\d+)$/.exec(name);
  if (indexed) {
    const base = nameNotation(indexed[1]);
    return atom(`${base.text}${inDigits(indexed[2], 'low')}`, `${base.latex}_{${indexed[2]}}`);
  }
  const parts = name.split('_').filter((part) => part !== '');
  if (parts.length > 1 && (parts[0].length === 1 || parts[0] in greek)) {
    const base = nameNotation(parts[0]);
    return atom(`${base.text}_${parts.slice(1).join('_')}`, `${base.latex}_{\\mathrm{${parts.slice(1).join('\\_')}}}`);
  }
  if (name in greek) return atom(greek[name], `\\${name === 'eps' ? 'varepsilon' : name}`);
  return atom(name, name.length === 1 ? name : `\\mathrm{${name.replace(/_/g, '\\_')}}`);
}

/** Text of code, which LaTeX sets as such. */
export function code(text: string): Notation {
  const line = text.replace(/\s+/g, ' ').trim();
  return atom(line, `\\texttt{${line.replace(/[\\{}$&#_%^~]/g, (c) => (c === '\\' || c === '^' || c === '~' ? `\\char"${c.charCodeAt(0).toString(16).toUpperCase()} ` : `\\${c}`))}}`); // prettier-ignore
}

/** In brackets where it binds less tightly than its place asks. */
function within(part: Notation, level: number): Notation {
  return part.level >= level ? part : atom(`(${part.text})`, `\\left(${part.latex}\\right)`);
}

export function notation(expr: ast.Expr, written: Written): Notation {
  const of = (e: ast.Expr): Notation => notation(e, written);
  switch (expr.kind) {
    case 'number':
      return atom(expr.text, expr.text.replace(/^(.*)e([+-]?\d+)$/i, '$1 \\cdot 10^{$2}'));
    case 'name':
      return nameNotation(expr.name);
    case 'member': {
      const object = of(expr.object);
      return atom(`${object.text}.${expr.name.text}`, `${object.latex}.${nameNotation(expr.name.text).latex}`);
    }
    case 'index':
      return indexed(expr, of) ?? code(written(expr.span));
    case 'unary': {
      const operand = within(of(expr.operand), SIGN);
      if (expr.op === '-') return { text: `−${operand.text}`, latex: `-${operand.latex}`, level: SUM };
      return { text: `¬${operand.text}`, latex: `\\lnot ${operand.latex}`, level: SIGN };
    }
    case 'binary':
      return binary(expr, of);
    case 'call':
      return call(expr, of) ?? code(written(expr.span));
    case 'tuple':
    case 'array': {
      const items = expr.items.map(of);
      const [open, close] = expr.kind === 'array' ? ['[', ']'] : ['(', ')'];
      return atom(`${open}${items.map((i) => i.text).join(', ')}${close}`, `\\left${open}${items.map((i) => i.latex).join(', ')}\\right${close}`); // prettier-ignore
    }
    case 'reduceOver':
      return reduction(expr, of) ?? code(written(expr.span));
    case 'at': {
      const body = within(of(expr.expr), ATOM);
      const places = expr.bindings.map(({ target, value }) => [of(target), of(value)] as const);
      if (expr.step || places.length === 0) return code(written(expr.span));
      const text = places.map(([t, v]) => `${t.text} = ${v.text}`).join(', ');
      return atom(`${body.text}|[${text}]`, `\\left.${body.latex}\\right|_{${places.map(([t, v]) => `${t.latex} = ${v.latex}`).join(', ')}}`); // prettier-ignore
    }
    default:
      return code(written(expr.span));
  }
}

function indexed(expr: ast.Index, of: (e: ast.Expr) => Notation): Notation | undefined {
  if (expr.replacement || expr.items.some((item) => item.kind === 'new' || item.kind === 'capped')) return undefined;
  const object = within(of(expr.object), ATOM);
  const items = expr.items.map((item) => (item.kind === 'at' ? of(item.expr) : atom(':')));
  const latex = `${object.latex}_{${items.map((i) => i.latex).join(', ')}}`;
  const number = items.length === 1 && /^\d+$/.test(items[0].text);
  const text = number ? inDigits(items[0].text, 'low') : `[${items.map((i) => i.text).join(', ')}]`;
  return atom(`${object.text}${text}`, latex);
}

const relations: Partial<Record<ast.BinaryOp, readonly [string, string]>> = {
  '==': ['=', '='], '!=': ['≠', '\\neq'], '<': ['<', '<'], '<=': ['≤', '\\leq'], '>': ['>', '>'], '>=': ['≥', '\\geq'], '~=': ['≈', '\\approx'],
  and: ['∧', '\\land'], or: ['∨', '\\lor'],
}; // prettier-ignore

function binary(expr: ast.Binary, of: (e: ast.Expr) => Notation): Notation {
  const [a, b] = [of(expr.left), of(expr.right)];
  const join = (sign: string, latex: string, level: number, left: number, right: number): Notation => {
    const [x, y] = [within(a, left), within(b, right)];
    return { text: `${x.text}${sign}${y.text}`, latex: `${x.latex} ${latex} ${y.latex}`, level };
  };
  switch (expr.op) {
    case '+':
      return join(' + ', '+', SUM, SUM, SUM);
    case '-':
      return join(' − ', '-', SUM, SUM, PRODUCT);
    case '*': {
      // 2 x needs no sign; 2 · 3 does, and so does what begins with a digit.
      const bare = !/^[\d−(]/.test(within(b, PRODUCT).text);
      return join(bare ? ' ' : ' · ', bare ? '\\,' : '\\cdot', PRODUCT, PRODUCT, SIGN);
    }
    case '@':
      return join(' ', '\\,', PRODUCT, PRODUCT, SIGN);
    case '/': {
      const [x, y] = [within(a, PRODUCT), within(b, SIGN)];
      return { text: `${x.text} / ${y.text}`, latex: `\\frac{${a.latex}}{${b.latex}}`, level: PRODUCT };
    }
    case '^': {
      const base = within(a, ATOM);
      const high = /^\d+$/.test(b.text) ? inDigits(b.text, 'high') : `^${within(b, ATOM).text}`;
      return { text: `${base.text}${high}`, latex: `${base.latex}^{${b.latex}}`, level: POWER };
    }
    case 'mod':
      return join(' mod ', '\\bmod', PRODUCT, PRODUCT, SIGN);
    case 'div':
      return atom(`⌊${a.text} / ${b.text}⌋`, `\\left\\lfloor\\frac{${a.latex}}{${b.latex}}\\right\\rfloor`);
    default: {
      const [text, latex] = relations[expr.op] as readonly [string, string];
      return join(` ${text} `, latex, RELATION, SUM, SUM);
    }
  }
}

function call(expr: ast.Call, of: (e: ast.Expr) => Notation): Notation | undefined {
  if (expr.callee.kind !== 'name' && expr.callee.kind !== 'member') return undefined;
  const args = expr.args.map(({ name, value }) => {
    const v = of(value);
    return name ? atom(`${name.text}: ${v.text}`, `\\mathrm{${name.text}}\\colon ${v.latex}`) : v;
  });
  const plain = expr.args.every((a) => !a.name);
  const [x, y] = args;
  const name = expr.callee.kind === 'name' ? expr.callee.name : '';
  if (plain && args.length === 1) {
    switch (name) {
      case 'sqrt':
        return atom(`√${within(x, ATOM).text}`, `\\sqrt{${x.latex}}`);
      case 'abs':
        return atom(`|${x.text}|`, `\\left|${x.latex}\\right|`);
      case 'norm':
        return atom(`‖${x.text}‖`, `\\left\\lVert ${x.latex} \\right\\rVert`);
      case 'transpose': {
        const base = within(x, ATOM);
        return { text: `${base.text}ᵀ`, latex: `${base.latex}^{\\top}`, level: POWER };
      }
      case 'sum': {
        const body = within(x, PRODUCT);
        return { text: `Σ ${body.text}`, latex: `\\textstyle\\sum ${body.latex}`, level: PRODUCT };
      }
      default:
    }
  }
  if (plain && args.length === 2) {
    if (name === 'dot') return atom(`⟨${x.text}, ${y.text}⟩`, `\\left\\langle ${x.latex}, ${y.latex} \\right\\rangle`);
    if (name === 'grad') {
      const body = within(x, POWER);
      return { text: `∇[${y.text}] ${body.text}`, latex: `\\nabla_{${y.latex}} ${body.latex}`, level: PRODUCT };
    }
  }
  const callee = of(expr.callee);
  const latex = named.has(name) ? `\\${name}` : name.length > 1 ? `\\operatorname{${name.replace(/_/g, '\\_')}}` : callee.latex; // prettier-ignore
  return atom(
    `${callee.text}(${args.map((a) => a.text).join(', ')})`,
    `${latex}\\left(${args.map((a) => a.latex).join(', ')}\\right)`,
  );
}

/** `mean over b as e { v }`: where the body is one expression. */
function reduction(expr: ast.ReduceOver, of: (e: ast.Expr) => Notation): Notation | undefined {
  if (expr.body.statements.length > 0 || !expr.body.value) return undefined;
  const heads = expr.heads.map(({ over, as }) => {
    const whole = of(over);
    if (as?.kind !== 'bind') return whole;
    const element = nameNotation(as.name.text);
    return atom(`${element.text} ∈ ${whole.text}`, `${element.latex} \\in ${whole.latex}`);
  });
  const body = within(of(expr.body.value), PRODUCT);
  const word = expr.reducer.text;
  const [text, latex] = word === 'sum' ? ['Σ', '\\sum'] : [word, `\\operatorname*{${word}}`];
  return {
    text: `${text}[${heads.map((h) => h.text).join(', ')}] ${body.text}`,
    latex: `${latex}_{${heads.map((h) => h.latex).join(', ')}} ${body.latex}`,
    level: PRODUCT,
  };
}
