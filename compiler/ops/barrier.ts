/**
 * Primitives whose value is their first input and whose meaning is what they do to derivatives. Nothing in the traversals of
 * `autodiff/` knows them: their records say it all.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import { drawArray, drawShape, need, range, sameShape, sameType, shapeText, typeText } from './arrays.ts';
import { regionParameter } from './closed.ts';
import { equatable, named } from './elementwise.ts';
import { applyRegion, isRegion } from './region.ts';
import { addDefined, Terms } from './terms.ts';
import type { Attrs, Builder, DerivativeContext, Node, OpDef, Region, Rng, TensorType } from './types.ts';

const alias: Pick<OpDef, 'reference' | 'lower' | 'tolerance'> = {
  reference: ([x], _, type) => ({ type, data: x.data }),
  lower: { family: 'alias' },
  tolerance: { relative: 0, absolute: 0 },
};

/** An identity of one input whose attributes do not depend on its shape. */
const identity: Pick<OpDef, 'arity' | 'infer' | 'batch' | 'reference' | 'lower' | 'tolerance'> = {
  ...alias,
  arity: 1,
  infer: ([x]) => x,
  batch: ({ b, node }, [x]) => b.make(node.op, [x], node.attrs),
};

const sampleOne = (attrs: (rng: Rng) => Attrs) => (rng: Rng) => {
  const [dtype] = equatable.draw(rng, 1, {});
  return { inputs: [drawArray(rng, { dtype, shape: drawShape(rng, 0, 3) })], attrs: attrs(rng) };
};

/** -factor · t, the derivative of a reversal in both modes. */
function reversed({ b, inputs: [x, factor] }: DerivativeContext, t: Node): Node {
  const terms = new Terms(b);
  return terms.neg(terms.mul(terms.spread(factor, x.type.shape), t));
}

function refuseVersion({ node }: DerivativeContext): never {
  const cell = String(node.attrs.label ?? node.attrs.cell);
  fail('OPT401', node.span, `this derivative would have to pass a write of '${cell}'`, {
    hint: `write the loop as 'scan' to differentiate through its steps, or 'stop' the value of '${cell}' to say that it counts as a constant`,
  });
}

function refuseDerivative({ node }: DerivativeContext): never {
  fail('OPT430', node.span, String(node.attrs.why), {
    hint: "stop it where it counts as a constant: stop(f(x)); or give the fn a 'gradient' clause",
  });
}

function ruleOf(attrs: Attrs): Region {
  const { rule } = attrs;
  need(isRegion(rule), () => "custom_gradient needs a region 'rule'");
  return rule;
}

/**
 * The rule's results for a cotangent. Where the rule knows y as its own value, what it reads of y is the value of this node, so that the derivative of the rule has
 * the rule as well: one that is written in y alone is there to any order.
 */
function applyRule(b: Builder, node: Node, results: readonly Node[], g: Node): Node[] {
  const { params } = ruleOf(node.attrs);
  if (node.attrs.own !== true) return applyRegion(b, { params, results }, [g]);
  return applyRegion(b, { params: [...params, node.inputs[0]], results }, [g, node]);
}

/** A region parameter made by hand: samples have no graph to make it with. */
const sampleParameter = (id: number, type: TensorType): Node => ({
  id,
  op: 'parameter',
  inputs: [],
  attrs: { source: 'region', name: `g${id}`, dtype: type.dtype, shape: type.shape },
  type,
});

/** t where the mask of a guard holds, else 0. */
function where({ b, inputs: [x, p] }: DerivativeContext, t: Node): Node {
  const terms = new Terms(b);
  const { shape } = x.type;
  const mask = terms.broadcast(p, shape, range(p.type.shape.length));
  return terms.select(p.type.shape.length === shape.length ? p : mask, t, terms.zeros(x.type));
}

export const barrierOps = named({
  stop: {
    about: 'x, as a constant for derivatives.',
    ...identity,
    vjp: 'none',
    jvp: 'none',
    sample: sampleOne(() => ({})),
  },
  name: {
    about: 'x, under the name of a `let` ({name}); transparent to derivatives.',
    ...identity,
    vjp: (_, g) => [g],
    jvp: (_, [t]) => t,
    sample: sampleOne(() => ({ name: 'a' })),
  },
  version: {
    about:
      'The value of {cell} after write number {version}; a derivative that would have to pass it is an error. {label}: the name of the cell in the text, where that is another.',
    ...identity,
    vjp: refuseVersion,
    jvp: (ctx, [t]) => (t ? refuseVersion(ctx) : undefined),
    sample: sampleOne(() => ({ cell: 'w', version: 1 })),
  },
  no_derivative: {
    about: 'x, of which no derivative may be asked: an error that says {why}.',
    ...identity,
    vjp: refuseDerivative,
    jvp: (ctx, [t]) => (t ? refuseDerivative(ctx) : undefined),
    sample: sampleOne(() => ({ why: 'it is opaque' })),
  },
  guard: {
    about:
      'x, whose derivative is 0 where the mask is false: what a branch not taken makes of NaN ends here. Inputs: x, bool mask of a leading part of its shape.',
    ...alias,
    arity: 2,
    infer: ([x, p]) => {
      need(p.dtype === 'bool', () => `a mask is bool, not ${p.dtype}`);
      need(
        sameShape(p.shape, x.shape.slice(0, p.shape.length)),
        () => `a mask of ${shapeText(p.shape)} is no leading part of ${shapeText(x.shape)}`,
      );
      return x;
    },
    vjp: (ctx, g) => [where(ctx, g), undefined],
    jvp: (ctx, [t]) => t && where(ctx, t),
    // An x that all elements share gets a copy for each, so that what flows back is masked before it is summed.
    batch: ({ b, node, n }, [x, p], [xMapped, pMapped]) => {
      const t = new Terms(b);
      const scalar = node.inputs[1].type.shape.length === 0;
      return b.make('guard', [xMapped ? x : t.lead(x, n), pMapped || scalar ? p : t.lead(p, n)]);
    },
    sample: (rng) => {
      const shape = drawShape(rng, 0, 3);
      const mask = shape.slice(0, rng.integer(0, shape.length + 1));
      return {
        inputs: [drawArray(rng, { dtype: 'f32', shape }), drawArray(rng, { dtype: 'bool', shape: mask })],
        attrs: {},
      };
    },
  },
  gradient_reversal: {
    about:
      'x, whose derivative is -factor in both modes (Ganin and Lempitsky, 2015). Inputs: x, factor (f32 scalar); none flows to the factor.',
    ...alias,
    arity: 2,
    infer: ([x, factor]) => {
      need(x.dtype === 'f32', () => `only f32 values have gradients to reverse, not ${x.dtype}`);
      need(
        factor.dtype === 'f32' && factor.shape.length === 0,
        () => `the factor of a reversal is an f32 scalar, not ${typeText(factor)}`,
      );
      return x;
    },
    vjp: (ctx, g) => [reversed(ctx, g), undefined],
    jvp: (ctx, [t]) => t && reversed(ctx, t),
    // A factor per element cannot be said in one node; its effect can: x, and a custom gradient -factor · g.
    batch: ({ b, node, n }, [x, factor], [xMapped, factorMapped]) => {
      const t = new Terms(b);
      const all = xMapped ? x : t.lead(x, n);
      if (!factorMapped) return b.make(node.op, [all, factor]);
      const g = regionParameter(b, 'g', all.type);
      const factors = t.broadcast(factor, all.type.shape, [0]);
      const rule: Region = { params: [g], results: [t.neg(t.mul(factors, g))] };
      return b.make('custom_gradient', [all, all], { rule });
    },
    sample: (rng) => ({
      inputs: [
        drawArray(rng, { dtype: 'f32', shape: drawShape(rng, 0, 3) }),
        drawArray(rng, { dtype: 'f32', shape: [] }),
      ],
      attrs: {},
    }),
  },
  custom_gradient: {
    about:
      'y, with the derivative of the region {rule}: from the cotangent g of y to cotangents of x1 … xn. Where {own}, what the rule reads of y has that derivative too. Inputs: y, x1 … xn.',
    ...alias,
    arity: 'variadic',
    infer: ([y, ...xs], attrs) => {
      const { params, results } = ruleOf(attrs);
      need(
        params.length === 1 && sameType(params[0].type, y),
        () =>
          `the rule takes one cotangent of type ${typeText(y)}, not (${params.map((p) => typeText(p.type)).join(', ')})`,
      );
      need(
        results.length === xs.length && results.every((r, i) => sameType(r.type, xs[i])),
        () =>
          `the rule must give cotangents of types (${xs.map(typeText).join(', ')}), but gives (${results.map((r) => typeText(r.type)).join(', ')})`,
      );
      return y;
    },
    vjp: ({ b, node }, g) => [undefined, ...applyRule(b, node, ruleOf(node.attrs).results, g)],
    // The rule is linear in g, so the tangent is the derivative by g of sum over i of <rule_i(g), t_i>.
    jvp: ({ b, node, inputs, pull }, [, ...tangents]) => {
      const t = new Terms(b);
      const { params, results } = ruleOf(node.attrs);
      const pairings = results.map((result, i) => {
        const tangent = tangents[i];
        return (
          tangent &&
          t.sum(
            t.mul(result, tangent),
            result.type.shape.map((_, a) => a),
          )
        );
      });
      const pairing = addDefined(t, pairings);
      if (!pairing) return undefined;
      const [transposed] = pull(pairing, [params[0]]);
      return applyRule(b, node, [transposed], t.zeros(inputs[0].type))[0];
    },
    // The rule is written for one element: it is batched with what it reads, and every x gets a copy per element.
    batch: ({ b, node, n, transform, outside }, inputs, mapped) => {
      const t = new Terms(b);
      const lead = (x: Node, flag: boolean) => (flag ? x : t.lead(x, n));
      const all = inputs.map((x, i) => lead(x, mapped[i]));
      const { params, results } = ruleOf(node.attrs);
      const g = regionParameter(b, 'g', all[0].type);
      const own = node.attrs.own === true;
      const given = new Map([...outside, [params[0], { node: g, mapped: true }]]);
      if (own) given.set(node.inputs[0], { node: all[0], mapped: true });
      const images = transform.vectorize(results, given, n);
      const rule: Region = { params: [g], results: images.map((image) => lead(image.node, image.mapped)) };
      return b.make('custom_gradient', all, own ? { rule, own } : { rule });
    },
    sample: (rng) => {
      const type: TensorType = { dtype: 'f32', shape: drawShape(rng, 0, 2) };
      const g = sampleParameter(0, type);
      return { inputs: [drawArray(rng, type), drawArray(rng, type)], attrs: { rule: { params: [g], results: [g] } } };
    },
  },
});
