/**
 * What a name stands for where it is read. Values computed in an earlier entry reach a later one through a cell that keeps them, unless they
 * can be computed again from data, constants and scalars alone; declarations are instantiated by the run that first reads them.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import { cellRead, reachable, sizeOf } from '../ir/tensor/graph.ts';
import { regionsOf } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration, RunContext } from './context.ts';
import { readCells } from './convert.ts';
import { type EntryBuilder, reads } from './entry.ts';
import { cast } from './arithmetic.ts';
import { counted } from './call-counts.ts';
import { hyper } from './hypers.ts';
import { declaredCell } from './cells.ts';
import { declaredModel } from './models.ts';
import { kept } from './keeping.ts';
import { named } from './naming.ts';
import { cellOf } from './targets.ts';
import { type Binding, type Frame, nested } from './scope.ts';
import { type CellRef, exact, partsOver, type RecordValue, tensor, type Thunk, type Value } from './values.ts';

/** Value of a name in expression position. */
export function readName(e: Elaboration, name: string, span: Span, frame: Frame): Value {
  const binding = frame.scope.find(name);
  if (binding) return e.do.binding(e, binding, name, span);
  return builtinName(e, name, span, frame);
}

function builtinName(e: Elaboration, name: string, span: Span, frame: Frame): Value {
  switch (name) {
    case 'pi':
      return exact(Math.PI, false);
    case 'step':
    case 'progress':
    case 'steps':
      if (frame.clock)
        return tensor(name === 'step' ? frame.clock.step : name === 'steps' ? frame.clock.steps : frame.clock.progress);
      // A hyper is evaluated by the host for the phase that reads it; other texts must stand in a phase themselves.
      if (frame.body !== 'file' && frame.body !== 'trial' && e.entry.kind !== 'train' && e.entry.kind !== 'until') {
        fail('OPT423', span, `'${name}' is only known inside a train phase`, {
          hint: 'pass it in from a train body, or use a hyper',
        });
      }
      return tensor(frame.onHost ? cast(e, e.scalar(name), 'f32') : e.scalar(name));
    default:
      return { kind: 'builtin', name };
  }
}

export function readBinding(e: Elaboration, binding: Binding, name: string, span: Span): Value {
  switch (binding.kind) {
    case 'value':
      if (binding.value.kind === 'thunk') return forced(e, binding.value);
      if (binding.value.kind === 'cell') return readCells(e, binding.value, span);
      if (binding.home === undefined || binding.home === e.entry) return binding.value;
      return carry(e, binding.value, binding.home, name, span, binding.span);
    case 'slot':
      return binding.read();
    case 'named':
      return namedFn(e, binding.decl, binding.frame, span);
    case 'family': {
      const members = new Map<number, Value>();
      for (const [k, member] of binding.members) members.set(k, readBinding(e, member, `${name}[${k}]`, span));
      return { kind: 'family', name, members };
    }
    case 'declared':
      return declared(e, binding, span);
  }
}

/**
 * An argument by name, evaluated in the frame that it was written in. One that reads neither cells nor data (a rate that follows the step) is the same node
 * at each use in an entry: the rules of a model with many leaves read it once for each.
 */
function forced(e: Elaboration, thunk: Thunk): Value {
  const known = e.scalarArguments.get(thunk);
  if (known?.home === e.entry) return known.value;
  const value = e.do.expression(e, thunk.expr, thunk.frame);
  // in rules and solvers, names stand for p, g or the parts of a problem, which change without any cell being written
  const { body } = thunk.frame;
  if (value.kind === 'tensor' && body !== 'rule' && body !== 'solver' && followsScalars(value.node))
    e.scalarArguments.set(thunk, { home: e.entry, value });
  return value;
}

/** Whether a value is computed from constants, the step and hypers alone, and in few operations. */
function followsScalars(root: Node): boolean {
  const seen = new Set<Node>();
  const stack = [root];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    if (seen.size > 100 || node.op === 'version' || node.op === 'random_key' || regionsOf(node).length > 0)
      return false;
    if (node.op === 'parameter' && node.attrs.source !== 'scalar') return false;
    stack.push(...node.inputs);
  }
  return true;
}

/** A parameterless fn: its body in its own frame, with the cells of now. */
function namedFn(e: Elaboration, decl: ast.FnDecl, frame: Frame, span: Span): Value {
  if (e.evaluating.has(decl)) {
    fail('OPT505', span, `${decl.name.text} reads itself without end`, {
      labels: [{ span: decl.name.span, text: 'declared here' }],
      hint: 'a fn cannot be recursive',
    });
  }
  e.evaluating.add(decl);
  const value = e.do.body(e, decl.body, { ...nested(frame), body: frame.owner ? frame.body : 'fn' });
  e.evaluating.delete(decl);
  if (value === undefined)
    fail('OPT304', span, `the body of ${decl.name.text} has no value`, { hint: 'end it with an expression' });
  // Named for messages and reports; a fn that only renames a cell stays that cell.
  if (value.kind !== 'tensor') return kept(e, decl, counted(e, decl, value, decl.span));
  if (cellOf(e, value.node)) return value;
  return e.graph.at(decl.span, () =>
    kept(e, decl, counted(e, decl, named(e, decl.name.text, value, decl.span), decl.span)),
  );
}

/** The run's instance of a declaration. File-level frozen values and hypers are shared by all runs. */
function declared(e: Elaboration, binding: Extract<Binding, { kind: 'declared' }>, span: Span): Value {
  const { decl, frame } = binding;
  const shared = frame.body === 'file' && (decl.kind === 'hyper' || (decl.kind === 'cell' && decl.word === 'frozen'));
  const owner = shared ? e.fileRun : e.run;
  const known = owner.instances.get(binding) ?? instantiate(e, binding, owner, shared, span);
  return known.kind === 'cell' ? readCells(e, known, span) : known;
}

function instantiate(
  e: Elaboration,
  binding: Extract<Binding, { kind: 'declared' }>,
  owner: RunContext,
  shared: boolean,
  span: Span,
): Value {
  const { decl, frame } = binding;
  const name = decl.name.text;
  if (!shared && owner === e.fileRun && e.hasRuns) {
    fail('OPT424', span, `each run has its own ${name}: this text is outside every run`, {
      labels: [{ span: decl.span, text: 'declared here, instantiated by each run' }],
      hint: 'reach it through a run: myrun.Name',
    });
  }
  if (e.instantiating.has(binding)) {
    fail('OPT505', span, `${name} is defined by itself`, {
      labels: [{ span: decl.span, text: 'declared here' }],
      hint: 'an initial value may read earlier declarations only',
    });
  }
  e.instantiating.add(binding);
  const value =
    decl.kind === 'hyper'
      ? hyper(e, decl, frame, owner)
      : decl.kind === 'cell'
        ? declaredCell(e, decl, frame, owner)
        : declaredModel(e, decl, frame);
  e.instantiating.delete(binding);
  owner.instances.set(binding, value);
  if (decl.kind !== 'hyper' && !(shared && e.hasRuns)) owner.members.set(`${name}${frame.turn ?? ''}`, value);
  return value;
}

/** A value computed in `home`, for use in the current entry. */
export function carry(
  e: Elaboration,
  value: Value,
  home: EntryBuilder,
  name: string,
  span: Span,
  declaredAt: Span,
): Value {
  switch (value.kind) {
    case 'tensor':
      return tensor(carryNode(e, value.node, home, name, span, declaredAt));
    case 'tuple':
      return { kind: 'tuple', items: value.items.map((v, i) => carry(e, v, home, `${name}.${i}`, span, declaredAt)) };
    case 'record':
      return {
        kind: 'record',
        fields: new Map([...value.fields].map(([k, v]) => [k, carry(e, v, home, `${name}.${k}`, span, declaredAt)])),
      };
    case 'tree':
      return {
        kind: 'tree',
        leaves: value.leaves.map((l) => ({
          path: l.path,
          node: carryNode(e, l.node, home, `${name}.${l.path}`, span, declaredAt),
        })),
      };
    case 'range':
      return value.lo.kind === 'tensor'
        ? { ...value, lo: tensor(carryNode(e, value.lo.node, home, name, span, declaredAt)) }
        : value;
    case 'over':
      return { ...value, value: carry(e, value.value, home, name, span, declaredAt) };
    case 'batch':
      return stepOnly(name, span, declaredAt);
    case 'solution': {
      const found = carry(e, value.found, home, name, span, declaredAt) as RecordValue;
      const fields = [...value.fields].map(
        ([k, v]) => [k, carry(e, v, home, `${name}.${k}`, span, declaredAt)] as const,
      );
      return { ...value, found, fields: new Map(fields) };
    }
    default:
      return value;
  }
}

/** A value of a train body is read by text that does not belong to the step. */
function stepOnly(name: string, span: Span, declaredAt: Span): never {
  fail('OPT423', span, `'${name}' is a value of one step and cannot be read here`, {
    labels: [{ span: declaredAt, text: 'computed at each step here' }],
    hint: `make it a fn, which is evaluated where it is used: fn ${name} = …`,
  });
}

function carryNode(e: Elaboration, node: Node, home: EntryBuilder, name: string, span: Span, declaredAt: Span): Node {
  const constant = constantCell(e, node);
  if (constant) return e.entry.read(constant);
  // What `exact` works on is what the device has computed, so nothing is computed again for it.
  if (isFree(node) && !e.entry.exact) return node;
  if (home.kind !== 'once') stepOnly(name, span, declaredAt);
  const cell = home.keep(node, (type) =>
    e.newCell({
      id: e.qualifiedBy(home.run, name),
      run: home.run,
      label: name,
      type,
      kind: 'let',
      group: e.qualifiedBy(home.run, name),
      span: declaredAt,
      persistent: true,
    }),
  );
  e.definitions.set(cell.id, node);
  return e.entry.read(cell);
}

/** Whether a node may simply be computed again elsewhere: it reads no cell, draws nothing, and is small or made in a few operations. */
function isFree(node: Node): boolean {
  let root = node;
  while (root.op === 'name') root = root.inputs[0];
  if (root.op === 'parameter') return root.attrs.source !== 'cell';
  const { cells, draws, data } = reads([root]);
  if (draws || data || cells.size > 0) return false;
  return sizeOf(root.type.shape) <= 64 || reachable([root]).filter((n) => n.op !== 'name').length <= 4;
}

/** The frozen or kept cell that a node reads, which is the same in every entry. */
function constantCell(e: Elaboration, node: Node): CellRef | undefined {
  let root = node;
  while (root.op === 'name') root = root.inputs[0];
  const id = cellRead(root);
  const cell = id === undefined ? undefined : e.cells.get(id);
  return cell?.kind === 'frozen' || cell?.kind === 'let' ? cell : undefined;
}

/** Values of patterns: `let (a, (b, c)) = e`. */
export function bindPattern(
  pattern: ast.Pattern,
  given: Value,
  span: Span,
  bind: (name: ast.Name, value: Value) => void,
): void {
  if (pattern.kind === 'bind') {
    bind(pattern.name, given);
    return;
  }
  const value = given.kind === 'over' ? partsOver(given) : given;
  const items =
    value.kind === 'tuple'
      ? value.items
      : value.kind === 'record'
        ? [...value.fields.values()]
        : value.kind === 'tree' && value.leaves.length === pattern.items.length
          ? value.leaves.map((l) => tensor(l.node))
          : undefined;
  if (!items || items.length !== pattern.items.length) {
    fail(
      'OPT319',
      pattern.span,
      `the pattern has ${pattern.items.length} names, but the value ${items ? `has ${items.length} parts` : 'has no parts'}`,
      {
        labels: [{ span, text: 'this value' }],
        hint: 'give one name to each part',
      },
    );
  }
  pattern.items.forEach((p, i) => bindPattern(p, items[i], span, bind));
}

/** Fails for a name nobody declared; the names pass normally says so first. */
export function unknownName(name: string, span: Span, frame: Frame): never {
  fail('OPT304', span, `nothing is called '${name}' here`, {
    hint: didYouMean(name, frame.scope.visible()) ?? 'declare it first',
  });
}
