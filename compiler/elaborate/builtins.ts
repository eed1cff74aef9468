/**
 * Calls of primitives and of the functions that need no `use`. Each family of functions is a table in a file of its own; a function gets its
 * arguments evaluated, with their places, by position and by name.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { toDim, toFloat, toNode } from './convert.ts';
import type { Frame } from './scope.ts';
import type { Value } from './values.ts';

/** One call of a builtin with its evaluated arguments. */
export class BuiltinCall {
  readonly e: Elaboration;
  readonly name: string;
  readonly span: Span;
  readonly positional: readonly { readonly value: Value; readonly span: Span }[];
  readonly named: ReadonlyMap<string, { readonly value: Value; readonly span: Span }>;

  constructor(
    e: Elaboration,
    name: string,
    span: Span,
    positional: BuiltinCall['positional'],
    named: BuiltinCall['named'],
  ) {
    this.e = e;
    this.name = name;
    this.span = span;
    this.positional = positional;
    this.named = named;
  }

  /** Checks the number of positional arguments and the names of the others. */
  expect(min: number, max: number, names: readonly string[] = []): void {
    const n = this.positional.length;
    if (n < min || n > max) {
      const wanted = min === max ? `${min}` : max === Number.POSITIVE_INFINITY ? `at least ${min}` : `${min} to ${max}`;
      fail(
        'OPT311',
        this.span,
        `${this.name} takes ${wanted} ${wanted === '1' ? 'argument' : 'arguments'}, but ${n} are given`,
        {
          hint:
            names.length > 0 ? `beside them it knows ${names.map((x) => `${x}:`).join(', ')}` : 'count the arguments',
        },
      );
    }
    for (const [name, arg] of this.named) {
      if (!names.includes(name)) {
        fail('OPT311', arg.span, `${this.name} has no argument '${name}'`, {
          hint: didYouMean(name, names) ?? (names.length > 0 ? `it knows ${names.join(', ')}` : 'remove it'),
        });
      }
    }
  }

  value(i: number): Value {
    return this.positional[i].value;
  }

  at(i: number): Span {
    return this.positional[i].span;
  }

  node(i: number): Node {
    return toNode(this.e, this.value(i), this.at(i));
  }

  float(i: number): Node {
    return toFloat(this.e, this.value(i), this.at(i));
  }

  /** A named argument that is a whole number known now. */
  dim(name: string): number | undefined {
    const arg = this.named.get(name);
    return arg && toDim(this.e, arg.value, arg.span, name);
  }

  flag(name: string): boolean {
    const arg = this.named.get(name);
    if (!arg) return false;
    if (arg.value.kind === 'truth') return arg.value.value;
    fail('OPT305', arg.span, `${name} is true or false`, { hint: `write ${name}: true` });
  }

  /** The axis named, counted from the front; negative ones count from the end. */
  axis(rank: number, fallback?: number): number | undefined {
    const given = this.dim('axis') ?? fallback;
    if (given === undefined) return undefined;
    const axis = given < 0 ? given + rank : given;
    if (axis < 0 || axis >= rank) {
      fail(
        'OPT306',
        this.named.get('axis')?.span ?? this.span,
        `axis ${given} does not exist: the value has ${rank} ${rank === 1 ? 'axis' : 'axes'}`,
        {
          hint: rank === 0 ? 'a scalar has no axis' : `axes are 0 to ${rank - 1}`,
        },
      );
    }
    return axis;
  }
}

export type BuiltinFn = (c: BuiltinCall) => Value;

/** Evaluates arguments in order and makes the call. */
export function evaluateArguments(
  e: Elaboration,
  name: string,
  args: readonly ast.Arg[],
  frame: Frame,
  span: Span,
): BuiltinCall {
  const positional: { value: Value; span: Span }[] = [];
  const named = new Map<string, { value: Value; span: Span }>();
  for (const arg of args) {
    const value = { value: e.do.expression(e, arg.value, frame), span: arg.value.span };
    if (arg.name) named.set(arg.name.text, value);
    else positional.push(value);
  }
  return new BuiltinCall(e, name, span, positional, named);
}
