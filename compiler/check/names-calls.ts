/** Checks of the arguments of a call against what is called: unknown, repeated, surplus and missing arguments. */
import type * as ast from '../ast/nodes.ts';
import { error } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { didYouMean, nearest } from '../diagnostics/suggest.ts';
import type { Span } from '../source/source.ts';
import type { Builtin } from './builtins.ts';

interface Callee {
  readonly name: string;
  /** Span of the called name in the call. */
  readonly span: Span;
  /** Where it is declared; absent for builtins and imports. */
  readonly declared?: Span;
}

function signatureOf(params: readonly ast.Param[]): string {
  return params.map((p) => p.name.text + (p.default ? ' = …' : '')).join(', ');
}

function labelsOf(callee: Callee) {
  return callee.declared ? [{ span: callee.declared, text: `'${callee.name}' is declared here` }] : [];
}

/**
 * Arguments of a call of a template with parameters `params`. Where `complete`, parameters without default must be given; elsewhere the
 * call may be a partial application. `also` are further names that the place allows, such as `seed` in runs.
 */
export function checkArguments(
  args: readonly ast.Arg[],
  params: readonly ast.Param[],
  callee: Callee,
  complete: boolean,
  also: readonly string[] = [],
): Diagnostic[] {
  const found: Diagnostic[] = [];
  const given = new Map<string, Span>();
  const labels = labelsOf(callee);
  const hint = `parameters of '${callee.name}': ${signatureOf(params) || 'none'}`;
  let position = 0;
  for (const arg of args) {
    if (!arg.name) {
      const param = params[position++];
      if (param) given.set(param.name.text, arg.span);
      else
        found.push(
          error('OPT210', arg.span, `'${callee.name}' takes ${count(params.length)}, and this is number ${position}`, {
            labels,
            hint,
          }),
        );
      continue;
    }
    const name = arg.name.text;
    const earlier = given.get(name);
    if (earlier) {
      found.push(
        error('OPT209', arg.name.span, `'${name}' is given twice`, {
          labels: [{ span: earlier, text: 'given here first' }],
          hint: 'keep one of them',
        }),
      );
    } else if (params.some((p) => p.name.text === name) || also.includes(name)) given.set(name, arg.name.span);
    else {
      const names = params.map((p) => p.name.text);
      found.push(
        error('OPT208', arg.name.span, `'${callee.name}' has no parameter '${name}'`, {
          labels,
          hint: didYouMean(name, names) ?? hint,
        }),
      );
      // A slip of the pen is one mistake: the parameter that was meant is not missing as well.
      const meant = nearest(name, names);
      if (meant !== undefined && !given.has(meant)) given.set(meant, arg.name.span);
    }
  }
  if (complete) {
    const missing = params.filter((p) => !p.default && !given.has(p.name.text));
    if (missing.length > 0)
      found.push(
        error('OPT211', callee.span, `'${callee.name}' needs ${missing.map((p) => `'${p.name.text}'`).join(', ')}`, {
          labels,
          hint,
        }),
      );
  }
  return found;
}

/** Arguments of a call of a builtin. */
export function checkBuiltinArguments(args: readonly ast.Arg[], builtin: Builtin, span: Span): Diagnostic[] {
  const found: Diagnostic[] = [];
  const given = new Map<string, Span>();
  const hint = `the form is ${builtin.signature}`;
  const unnamed = args.filter((a) => !a.name);
  unnamed.slice(0, builtin.positions.length).forEach((arg, i) => given.set(builtin.positions[i], arg.span));
  if (unnamed.length > builtin.max)
    found.push(
      error(
        'OPT210',
        unnamed[builtin.max].span,
        `'${builtin.name}' takes ${count(builtin.max)}, and this is number ${builtin.max + 1}`,
        { hint },
      ),
    );
  for (const arg of args) {
    if (!arg.name) continue;
    const name = arg.name.text;
    const earlier = given.get(name);
    const known = [...builtin.positions, ...builtin.named];
    if (earlier)
      found.push(
        error('OPT209', arg.name.span, `'${name}' is given twice`, {
          labels: [{ span: earlier, text: 'given here first' }],
          hint: 'keep one of them',
        }),
      );
    else if (known.includes(name)) given.set(name, arg.name.span);
    else
      found.push(
        error('OPT208', arg.name.span, `'${builtin.name}' has no argument '${name}'`, {
          hint: didYouMean(name, known) ?? hint,
        }),
      );
  }
  const needed = [...builtin.positions.slice(0, builtin.min), ...builtin.required];
  const missing = needed.filter((name, i) => !given.has(name) && !(i < builtin.min && i < unnamed.length));
  if (missing.length > 0)
    found.push(
      error('OPT211', span, `'${builtin.name}' needs ${missing.map((name) => `'${name}'`).join(', ')}`, { hint }),
    );
  return found;
}

function count(n: number): string {
  return n === 0 ? 'no arguments' : n === 1 ? 'one argument' : `${n} arguments`;
}
