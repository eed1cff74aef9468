/**
 * Primitives with closed regions and several results: `loop` repeats its body, `cond` takes one of two branches, `part` reads a result.
 * Their derivatives and batching are in `loop-rules.ts` and `cond-rules.ts`.
 */
import { InternalError } from '../diagnostics/diagnostic.ts';
import { drawArray, drawShape, int, need, sameType, sizeOf, typeText } from './arrays.ts';
import { FLAG, INDEX, type LoopAttrs, loopAttrs, loopLayout, rowType, stackedType } from './closed.ts';
import { condRules } from './cond-rules.ts';
import { named } from './elementwise.ts';
import { loopRules } from './loop-rules.ts';
import { isRegion } from './region.ts';
import { drawBranches, drawLoop } from './region-samples.ts';
import type { Attrs, NdArray, OpDef, Region, RegionEvaluator, TensorType } from './types.ts';

const several: Pick<OpDef, 'vjp' | 'jvp' | 'batch' | 'arity' | 'tolerance'> = {
  arity: 'variadic',
  vjp: 'none',
  jvp: 'none',
  batch: 'refused',
  tolerance: { relative: 0, absolute: 0 },
};

function regionAttr(attrs: Attrs, name: string, params: readonly TensorType[]): Region {
  const region = attrs[name];
  need(isRegion(region), () => `needs a region '${name}'`);
  need(
    region.params.length === params.length && region.params.every((p, k) => sameType(p.type, params[k])),
    () =>
      `the region '${name}' takes (${region.params.map((p) => typeText(p.type)).join(', ')}), not (${params.map(typeText).join(', ')})`,
  );
  return region;
}

function checkLoop(inputs: readonly TensorType[], attrs: Attrs): LoopAttrs {
  const [carries, xs, max] = ['carries', 'xs', 'max'].map((name) => int(attrs, name));
  need(max >= 0 && carries >= 0 && xs >= 0, () => 'carries, xs and max of a loop must be >= 0');
  const [counted, reversed] = [attrs.counted === true, attrs.reversed === true];
  const at = loopLayout(inputs, { carries, xs, counted });
  need(
    at.carries.length === carries && at.xs.length === xs && (!counted || inputs.length > 0),
    () => `a loop of ${carries} carries and ${xs} sequences has more than ${inputs.length} inputs`,
  );
  if (at.count) need(sameType(at.count, INDEX), () => 'the count of a loop is an i32 scalar');
  for (const { shape } of at.xs)
    need(shape.length > 0 && shape[0] === max, () => `a sequence of a loop needs ${max} rows`);
  const body = regionAttr(attrs, 'body', [INDEX, ...at.carries, ...at.xs.map(rowType), ...at.consts]);
  need(
    body.results.length >= carries && at.carries.every((type, k) => sameType(type, body.results[k].type)),
    () => 'the body of a loop must give its carries in their types',
  );
  if (attrs.cond === undefined) return { carries, xs, max, counted, reversed, body };
  need(!reversed, () => 'a loop with a condition cannot be reversed');
  const cond = regionAttr(attrs, 'cond', [INDEX, ...at.carries, ...at.consts]);
  need(
    cond.results.length === 1 && sameType(cond.results[0].type, FLAG),
    () => 'the condition of a loop gives one bool scalar',
  );
  return { carries, xs, max, counted, reversed, body, cond };
}

const index = (value: number): NdArray => ({ type: INDEX, data: Float64Array.of(value) });

/** Row i of a value, without copying. */
function row({ type, data }: NdArray, i: number): NdArray {
  const size = sizeOf(type.shape.slice(1));
  return { type: rowType(type), data: data.subarray(i * size, (i + 1) * size) };
}

function evaluator(evaluate: RegionEvaluator | undefined): RegionEvaluator {
  if (!evaluate) throw new InternalError('a region was to be evaluated without an evaluator');
  return evaluate;
}

function runLoop(inputs: readonly NdArray[], attrs: LoopAttrs, type: TensorType, run: RegionEvaluator): NdArray {
  const { count, xs, consts, carries: initial } = loopLayout(inputs, attrs);
  const { max, reversed, body, cond } = attrs;
  const turns = count ? Math.min(Math.max(count.data[0], 0), max) : max;
  const yTypes = (type.parts as TensorType[]).slice(1 + initial.length);
  const ys = yTypes.map((t): NdArray => ({ type: t, data: new Float64Array(sizeOf(t.shape)) }));
  let carries: readonly NdArray[] = initial;
  let done = 0;
  for (; done < turns; done++) {
    const i = reversed ? turns - 1 - done : done;
    if (cond && run(cond, [index(i), ...carries, ...consts])[0].data[0] === 0) break;
    const results = run(body, [index(i), ...carries, ...xs.map((x) => row(x, i)), ...consts]);
    carries = results.slice(0, initial.length);
    ys.forEach((y, k) => row(y, i).data.set(results[initial.length + k].data));
  }
  return { type, data: Float64Array.of(done), parts: [index(done), ...carries, ...ys] };
}

export const loopOps = named({
  loop: {
    ...several,
    about:
      'Repeats the region {body}: from the turn i, the {carries} carries, row i of the {xs} sequences and the constants to new carries and rows of further results. {max} turns, or as many as the first input says where {counted}, from the last to the first where {reversed}, as long as the region {cond} of i, carries and constants is true. Results: turns done, carries, rows stacked (zeros for turns not done). Reverse mode keeps the carries of every turn and computes the rest of it again.',
    infer: (inputs, attrs) => {
      const { carries, max, body } = checkLoop(inputs, attrs);
      const types = body.results.map(({ type }, k) => (k < carries ? type : stackedType(type, max)));
      return { ...INDEX, parts: [INDEX, ...types] };
    },
    reference: (inputs, attrs, type, evaluate) => runLoop(inputs, loopAttrs(attrs), type, evaluator(evaluate)),
    several: loopRules,
    lower: { family: 'region' },
    sample: drawLoop,
  },
  cond: {
    ...several,
    about:
      'One of the regions {then} and {else} of the constants, by a bool scalar: the other is not evaluated. Results: 1 or 0 for the branch taken, then those of the branch. Inputs: predicate, constants.',
    infer: ([predicate, ...consts], attrs) => {
      need(predicate !== undefined && sameType(predicate, FLAG), () => 'the predicate of a choice is a bool scalar');
      const [a, b] = ['then', 'else'].map((name) => regionAttr(attrs, name, consts).results.map((r) => r.type));
      need(
        a.length === b.length && a.every((type, k) => sameType(type, b[k])),
        () => `branches of (${a.map(typeText).join(', ')}) and (${b.map(typeText).join(', ')}) do not match`,
      );
      return { ...INDEX, parts: [INDEX, ...a] };
    },
    reference: ([predicate, ...consts], attrs, type, evaluate) => {
      const taken = predicate.data[0] !== 0;
      const results = evaluator(evaluate)(attrs[taken ? 'then' : 'else'] as Region, consts);
      return { type, data: Float64Array.of(Number(taken)), parts: [index(Number(taken)), ...results] };
    },
    several: condRules,
    lower: { family: 'region' },
    sample: drawBranches,
  },
  part: {
    about: 'Result {index} of a primitive that has several.',
    arity: 1,
    infer: ([x], attrs) => {
      const at = int(attrs, 'index');
      const { parts } = x;
      need(parts !== undefined, () => `a value of type ${typeText(x)} has no parts`);
      need(at >= 0 && at < parts.length, () => `there is no part ${at} of ${parts.length}`);
      return parts[at];
    },
    reference: ([x], attrs) => {
      const { parts } = x;
      if (!parts) throw new InternalError('a value without parts');
      return parts[attrs.index as number];
    },
    // The traversals of `autodiff/` take what flows into parts to the rules of the node that they are parts of.
    vjp: 'none',
    jvp: 'none',
    batch: 'refused',
    lower: { family: 'part' },
    sample: (rng) => {
      const x = drawArray(rng, { dtype: 'f32', shape: drawShape(rng, 0, 2) });
      const parts = [index(rng.integer(0, 5)), x];
      const type = { ...INDEX, parts: parts.map((p) => p.type) };
      return { inputs: [{ type, data: parts[0].data, parts }], attrs: { index: rng.integer(0, 2) } };
    },
    tolerance: { relative: 0, absolute: 0 },
  },
});
