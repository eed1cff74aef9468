/** Arguments of a distribution: by position or name, evaluated once, broadcast to the type of the draw. */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, toFloat } from './convert.ts';
import { type Domain, faultWhere, numbersOf } from './draw-checks.ts';
import type { Frame } from './scope.ts';
import type { Value } from './values.ts';

/** Arguments of a distribution by position or name, broadcast to the result. */
export class DrawArguments {
  readonly e: Elaboration;
  readonly d: ast.Draw;
  private readonly frame: Frame;
  private readonly names: readonly string[];
  private readonly values = new Map<ast.Arg, { readonly value: Value; readonly span: Span }>();

  constructor(e: Elaboration, d: ast.Draw, frame: Frame, names: readonly string[]) {
    this.e = e;
    this.d = d;
    this.frame = frame;
    this.names = names;
    let position = 0;
    for (const arg of d.args) {
      const name = arg.name?.text ?? names[position++];
      if (name === undefined || !names.includes(name)) {
        fail('OPT321', arg.span, `${d.dist.text} takes ${names.length === 0 ? 'no arguments' : names.join(', ')}`, {
          hint: 'remove this argument',
        });
      }
    }
  }

  find(name: string): ast.Arg | undefined {
    const index = this.names.indexOf(name);
    return this.d.args.find((a) => a.name?.text === name) ?? this.d.args.filter((a) => !a.name)[index];
  }

  /** Value of an argument, evaluated once; undefined where it is left off. */
  value(name: string): { readonly value: Value; readonly span: Span } | undefined {
    const arg = this.find(name);
    if (!arg) return undefined;
    let found = this.values.get(arg);
    if (!found) {
      found = { value: this.e.do.expression(this.e, arg.value, this.frame), span: arg.span };
      this.values.set(arg, found);
    }
    return found;
  }

  /** f32 values of the result's shape; undefined where the argument is left off. Those outside of `domain` are refused now if they are known, else a fault of the run. */
  float(name: string, shape: readonly number[], domain?: Domain): Node | undefined {
    const given = this.value(name);
    if (!given) return undefined;
    const node = toFloat(this.e, given.value, given.span);
    const own = node.type.shape;
    const offset = shape.length - own.length;
    if (offset < 0 || own.some((d, i) => d !== 1 && d !== shape[i + offset])) {
      fail(
        'OPT302',
        given.span,
        `${name} of shape ${this.e.shapeText(own)} does not stretch to a draw of shape ${this.e.shapeText(shape)}`,
        {
          labels: [{ span: this.d.span, text: 'this draw' }],
          hint: 'arguments of a distribution are broadcast to the type of the draw',
        },
      );
    }
    return broadcastTo(this.e, domain ? this.within(name, node, domain) : node, shape);
  }

  private within(name: string, node: Node, domain: Domain): Node {
    this.requireThat(name, domain);
    if (this.known(name)) return node;
    const message = `${name} of ${this.d.dist.text} must be ${domain.wanted}`;
    return faultWhere(this.e, node, domain.outside(this.e, node), message);
  }

  /** As `float`, of an argument that must be given. */
  needed(name: string, shape: readonly number[], domain?: Domain): Node {
    const node = this.float(name, shape, domain);
    if (node) return node;
    fail('OPT321', this.d.span, `${this.d.dist.text} needs its argument ${name}`, {
      hint: `write ~ ${this.d.dist.text}(${this.names.join(', ')})`,
    });
  }

  /** Numbers of an argument, where they are known now. */
  known(name: string): readonly number[] | undefined {
    const given = this.value(name);
    return given && numbersOf(given.value);
  }

  /** Refuses an argument that is known now and makes no sense. */
  requireThat(name: string, { holds, wanted }: Pick<Domain, 'holds' | 'wanted'>): void {
    const wrong = this.known(name)?.find((x) => !holds(x));
    if (wrong === undefined) return;
    fail('OPT321', this.find(name)?.span, `${name} of ${this.d.dist.text} is ${wrong}, but must be ${wanted}`, {
      labels: [{ span: this.d.span, text: 'this draw' }],
      hint: `give ${name} ${wanted}`,
    });
  }
}
