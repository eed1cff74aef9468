/** Expressions: one case per construct of the language; what this version does not elaborate is refused where it stands. */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Node } from '../ops/types.ts';
import { binary, unary } from './arithmetic.ts';
import { axisOperation, own } from './axes.ts';
import { readName } from './bindings.ts';
import { call } from './calls.ts';
import { ifExpression } from './choices.ts';
import type { Elaboration } from './context.ts';
import { modelCells, plain, refuseCapped, toNode } from './convert.ts';
import { datasetWith } from './data.ts';
import { at } from './derivatives.ts';
import { exactValue } from './exact.ts';
import { fresh } from './fresh.ts';
import { factOf, fixed } from './fixed-points.ts';
import { index } from './indexing.ts';
import { map, reduceOver } from './maps.ts';
import { alternativesOf } from './pipelines.ts';
import { fieldNames, fieldOf, problemMember } from './problem-fields.ts';
import { instanceOf } from './problems.ts';
import { rangeValue } from './ranges.ts';
import { checkpoint, scan } from './scans.ts';
import type { Frame } from './scope.ts';
import { solutionMember, solveExpression } from './solve.ts';
import { directingValue, withExpression } from './with.ts';
import { exact, kindText, partsOver, type RunValue, tensor, truth, type Tree, type Value } from './values.ts';

export function expression(e: Elaboration, expr: ast.Expr, frame: Frame): Value {
  return e.graph.at(expr.span, () => {
    if (LOOKS_AROUND.has(expr.kind)) e.lookedAround++;
    const value = evaluate(e, expr, frame);
    return e.elements.size > 0 ? own(e, value, expr.span) : value;
  });
}

/** Expressions whose value depends on more than the values that they read. */
const LOOKS_AROUND: ReadonlySet<ast.Expr['kind']> = new Set([
  'at',
  'with',
  'exact',
  'fresh',
  'solveExpr',
  'axisOp',
  'checkpoint',
  'pipeline',
]);

function evaluate(e: Elaboration, expr: ast.Expr, frame: Frame): Value {
  switch (expr.kind) {
    case 'number':
      return exact(expr.value, expr.integral);
    case 'bool':
      return truth(expr.value);
    case 'string':
      return { kind: 'text', value: expr.value };
    case 'name':
      return readName(e, expr.name, expr.span, frame);
    case 'member':
      return member(e, expr, frame);
    case 'index':
      return index(e, expr, frame);
    case 'call':
      return call(e, expr, frame);
    case 'unary':
      return unary(e, expr.op, e.do.expression(e, expr.operand, frame), expr.span);
    case 'binary': {
      const left = { value: e.do.expression(e, expr.left, frame), span: expr.left.span };
      const right = { value: e.do.expression(e, expr.right, frame), span: expr.right.span };
      return binary(e, expr.op, left, right, expr.span);
    }
    case 'range':
      return rangeValue(e, expr, frame);
    case 'tuple':
      return { kind: 'tuple', items: expr.items.map((item) => plain(e, e.do.expression(e, item, frame), item.span)) };
    case 'record':
      return record(e, expr.fields, frame);
    case 'bracelist':
      return braceList(e, expr, frame);
    case 'array':
      return array(e, expr, frame);
    case 'at':
      return at(e, expr, frame);
    case 'ifExpr':
      return ifExpression(e, expr, frame);
    case 'with':
      if (expr.expr.kind === 'call') return withExpression(e, expr, frame);
      return datasetWith(e, expr, frame);
    case 'map':
      return map(e, expr, frame);
    case 'reduceOver':
      return reduceOver(e, expr, frame);
    case 'scan':
      return scan(e, expr, frame);
    case 'fixed':
      return fixed(e, expr, frame);
    case 'checkpoint':
      return checkpoint(e, expr, frame);
    case 'exact':
      return exactValue(e, expr);
    case 'fresh':
      return fresh(e, expr, frame);
    case 'solveExpr':
      return solveExpression(e, expr, frame);
    case 'axisOp':
      return axisOperation(e, expr, frame);
    case 'pipeline':
      return pipelineValue(e, expr.pipeline, frame);
    case 'each':
      fail('OPT424', expr.span, "'each' makes a sweep of runs and belongs in the arguments of a run", {
        hint: 'write run a = fit(lr: each [1e-3, 1e-2])',
      });
  }
}

/** A pipeline given as a value: its first stage says whether it is one of rules, or one from objectives to a direction. */
function pipelineValue(e: Elaboration, pipeline: ast.Pipeline, frame: Frame): Value {
  const first = e.do.expression(e, pipeline.stages[0], frame);
  const stage = first.kind === 'pipeline' ? first.alternatives[0][0] : first;
  const directs = stage.kind === 'template' && (stage.decl.kind === 'estimator' || stage.decl.kind === 'aggregator');
  if (directs) return directingValue(e, pipeline, frame);
  return { kind: 'pipeline', alternatives: alternativesOf(e, pipeline, frame) };
}

function record(
  e: Elaboration,
  fields: readonly { readonly name: ast.Name; readonly value: ast.Expr }[],
  frame: Frame,
): Value {
  const values = new Map<string, Value>();
  for (const { name, value } of fields) {
    if (values.has(name.text))
      fail('OPT312', name.span, `the record has the field ${name.text} twice`, { hint: 'rename one of them' });
    values.set(name.text, plain(e, e.do.expression(e, value, frame), value.span));
  }
  return { kind: 'record', fields: values };
}

/** `{ w, x }` where no list is meant is a record of the names. */
function braceList(e: Elaboration, expr: ast.BraceList, frame: Frame): Value {
  const fields = expr.items.map((item) => {
    if (item.kind !== 'name')
      fail('OPT312', item.span, 'a record needs a name for each field', { hint: 'write { name: value }' });
    return { name: { text: item.name, span: item.span }, value: item };
  });
  return record(e, fields, frame);
}

/** `[1, 2]`, `[[cos(a), sin(a)], …]`: exact where all elements are, else a stack of their nodes. */
function array(e: Elaboration, expr: ast.ArrayLit, frame: Frame): Value {
  const items = expr.items.map((item) => plain(e, e.do.expression(e, item, frame), item.span));
  if (items.length === 0) return { kind: 'exactArray', values: [], shape: [0], integral: false };
  const exactItems = items.filter((v) => v.kind === 'exact' || v.kind === 'exactArray');
  const shapes = exactItems.map((v) => (v.kind === 'exact' ? [] : v.shape));
  if (exactItems.length === items.length && shapes.every((s) => s.join() === shapes[0].join())) {
    return {
      kind: 'exactArray',
      values: exactItems.flatMap((v) => (v.kind === 'exact' ? [v.value] : [...v.values])),
      shape: [items.length, ...shapes[0]],
      integral: exactItems.every((v) => v.integral),
    };
  }
  const typed = items.findIndex((v) => v.kind !== 'exact' && v.kind !== 'exactArray');
  const dtype = typed >= 0 ? toNode(e, items[typed], expr.items[typed].span).type.dtype : 'f32';
  const nodes: Node[] = items.map((v, i) => toNode(e, v, expr.items[i].span, dtype));
  const rows = nodes.map((n, i) => {
    if (n.type.shape.join() !== nodes[0].type.shape.join() || n.type.dtype !== dtype) {
      fail(
        'OPT302',
        expr.items[i].span,
        `the elements of an array have one type, but ${e.typeText(n.type)} meets ${e.typeText(nodes[0].type)}`,
        {
          labels: [{ span: expr.items[0].span, text: `this has type ${e.typeText(nodes[0].type)}` }],
          hint: 'use concat to join arrays of different length',
        },
      );
    }
    return e.make('reshape', [n], { shape: [1, ...n.type.shape] });
  });
  return tensor(rows.length === 1 ? rows[0] : e.make('concat', rows, { axis: 0 }));
}

function member(e: Elaboration, expr: ast.Member, frame: Frame): Value {
  const whole = e.do.expression(e, expr.object, frame);
  const object = whole.kind === 'over' ? partsOver(whole) : whole;
  const name = expr.name.text;
  const missing = (known: Iterable<string>): never => {
    const names = [...new Set(known)];
    fail('OPT312', expr.name.span, `${kindText(object)} has nothing called '${name}'`, {
      hint:
        didYouMean(name, names) ?? (names.length > 0 ? `it has ${names.slice(0, 12).join(', ')}` : 'it has no members'),
    });
  };
  const fact = factOf(e, object, name);
  if (fact) return fact;
  switch (object.kind) {
    case 'dataset':
    case 'batch': {
      if (object.kind === 'batch') refuseCapped(object, `${object.dataset.name}.${name}`, expr.span);
      if (object.kind === 'batch' && name === 'index' && !object.fields.has('index')) return tensor(object.index);
      const read = object.fields.get(name);
      return read ? read() : missing(object.fields.keys());
    }
    case 'record':
      return object.fields.get(name) ?? missing(object.fields.keys());
    case 'model': {
      if (object.instance.params.size === 0) modelCells(e, object.instance, expr.span);
      const known = [...object.instance.params.keys()];
      if (!known.some((p) => p === name || p.startsWith(`${name}.`))) missing(known.map((p) => p.split('.')[0]));
      return { kind: 'part', instance: object.instance, path: name };
    }
    case 'part': {
      const path = `${object.path}.${name}`;
      const below = [...object.instance.params.keys()].filter((p) => p.startsWith(`${object.path}.`));
      if (!below.some((p) => p === path || p.startsWith(`${path}.`)))
        missing(below.map((p) => p.slice(object.path.length + 1).split('.')[0]));
      return { ...object, path };
    }
    case 'tree':
      return treeMember(object, name) ?? missing(object.leaves.map((l) => l.path.split('.')[0]));
    case 'run':
      return runMember(e, object, expr);
    case 'problem':
      return problemMember(e, object.instance, expr.name);
    case 'solution':
      return solutionMember(e, object, expr.name);
    case 'template':
      if (object.decl.kind === 'problem') return problemMember(e, instanceOf(e, object, expr.object.span), expr.name);
      if (object.decl.kind === 'rule' && name === 'step')
        fail('OPT311', expr.span, 'a step of a rule is called at once', { hint: 'write rule.step(p, g)' });
      return missing([]);
    default:
      return missing([]);
  }
}

function treeMember(tree: Tree, name: string): Value | undefined {
  const found = tree.leaves.filter((l) => l.path === name || l.path.startsWith(`${name}.`));
  if (found.length === 0) return undefined;
  if (found.length === 1 && found[0].path === name) return tensor(found[0].node);
  return { kind: 'tree', leaves: found.map((l) => ({ path: l.path.slice(name.length + 1), node: l.node })) };
}

function runMember(e: Elaboration, run: RunValue, expr: ast.Member): Value {
  const name = expr.name.text;
  const found = run.members.get(name);
  // Cells of a run are read now; its models stay models, which can be called.
  if (found) return found.kind === 'cell' ? plain(e, found, expr.span) : found;
  const field = run.problem && fieldOf(e, run.problem, name, expr.name.span);
  if (field) return field;
  if (run.series.has(name)) {
    fail('OPT331', expr.span, `${run.name}.${name} is a series of the finished run and can be read by expect only`, {
      hint: 'compute what you need from its models and data',
    });
  }
  const fields = run.problem ? fieldNames(run.problem) : [];
  const known = [...new Set([...fields, ...run.members.keys(), ...run.series.keys()])];
  const owner = run.name === '' ? 'this file' : `the run ${run.name}`;
  fail('OPT312', expr.name.span, `${owner} has nothing called '${name}'`, {
    hint:
      didYouMean(name, known) ??
      `it has ${known.slice(0, 12).join(', ')}; a run's lets and fns are not read from outside`,
  });
}
