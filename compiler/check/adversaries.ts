/**
 * Who descends and who climbs. In an update that moves several models or variables, an adversary must descend what the others climb: subtracting its loss turns it
 * round as well, and so does a reversal that stands behind it. A multiplier, in which the objective is linear, must climb.
 */
import { type Diagnostic, warning } from '../diagnostics/diagnostic.ts';
import type { Program, UpdateRecord } from '../ir/program.ts';
import { cellRead, reachable } from '../ir/tensor/graph.ts';
import { dependencies } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';
import { isAffine } from './affine.ts';
import { type Term, termsOf } from './directions.ts';
import { reach } from './reach.ts';
import { isNonNegative } from './signs.ts';

/** A model or variable that an update moves, with the nodes that derivatives are taken by. */
interface Owner {
  readonly name: string;
  readonly leaves: ReadonlySet<Node>;
}

type Objective = UpdateRecord['objectives'][number];

/** OPT433 and OPT435 for all updates that take derivatives of objectives. */
export function checkAdversaries(program: Program): Diagnostic[] {
  return program.updates.flatMap((u) => {
    if (u.sense !== 'minimizing' && u.sense !== 'maximizing') return [];
    if (u.with !== '' || u.wrt.length !== u.targets.length) return [];
    const owners = ownersOf(program, u);
    return u.objectives.flatMap((o) => [
      ...(owners.length > 1 ? [...climbing(u, o, owners), ...behindAll(program, u, o, owners)] : []),
      ...descendingMultipliers(program, u, o, owners),
    ]);
  });
}

function ownersOf(program: Program, u: UpdateRecord): Owner[] {
  const models = new Map(program.models.flatMap((m) => m.cells.map((c) => [c, m.name] as const)));
  const groups = new Map<string, { readonly name: string; readonly leaves: Set<Node> }>();
  u.targets.forEach((cell, i) => {
    const model = models.get(cell);
    const group = groups.get(model ?? cell) ?? { name: model ?? u.written[i], leaves: new Set<Node>() };
    groups.set(model ?? cell, group);
    group.leaves.add(u.wrt[i]);
  });
  return [...groups.values()];
}

/** An owner whom only subtracted losses reach, one of which reaches another owner who descends something. */
function climbing(u: UpdateRecord, objective: Objective, owners: readonly Owner[]): Diagnostic[] {
  const terms = termsOf(objective.node).map((term) => ({ ...term, sign: u.sense === 'maximizing' ? -term.sign : term.sign })); // prettier-ignore
  const reaching = (owner: Owner) => terms.filter((t) => reach(t.node, owner.leaves).reversals.length > 0);
  const plain = (t: { readonly node: Node }) => !reachable([t.node]).some((n) => n.op === 'gradient_reversal');
  return owners.flatMap((owner) => {
    const own = reaching(owner);
    if (own.length === 0 || own.some((t) => t.sign > 0 || !plain(t) || !isNonNegative(t.node))) return [];
    const opposed = owners.find((other) => {
      const theirs = reaching(other);
      return other !== owner && theirs.some((t) => t.sign > 0) && theirs.some((t) => own.includes(t));
    });
    if (!opposed) return [];
    return [
      warning('OPT433', objective.span, `${owner.name} climbs its own loss: what is subtracted for ${opposed.name} is subtracted for it as well`, {
        labels: own[0].node.span ? [{ span: own[0].node.span, text: 'subtracted' }] : [],
        hint: `add the loss, and reverse what ${owner.name} is given: reverse(…, by: 1)`,
      }),
    ]; // prettier-ignore
  });
}

/** A term behind whose reversal all lie who could descend it. */
function behindAll(program: Program, u: UpdateRecord, objective: Objective, owners: readonly Owner[]): Diagnostic[] {
  const moved = new Set(program.updates.flatMap((other) => other.targets));
  return termsOf(objective.node).flatMap((term: Term) => {
    const nodes = reachable([term.node]);
    if (!nodes.some((n) => n.op === 'gradient_reversal')) return [];
    const turned = owners.filter((o) => reach(term.node, o.leaves).reversals.join() === '1');
    if (turned.length < 2 || term.sign < 0 !== (u.sense === 'maximizing')) return [];
    const cells = new Set(nodes.filter((n) => moved.has(cellRead(n) ?? '')));
    const { reversals, nodes: passed } = reach(term.node, new Set([...cells, ...u.wrt]));
    if (reversals.includes(0)) return [];
    return [
      warning('OPT433', passed[0]?.span ?? objective.span, `${turned.map((o) => o.name).join(' and ')} all lie behind this reversal: nobody descends the term`, {
        labels: [{ span: objective.span, text: 'the objective' }],
        hint: 'reverse what the adversary is given, not what it gives',
      }),
    ]; // prettier-ignore
  });
}

/** A target in which the objective is linear, with a factor that is moved the same way by the same objective. */
function descendingMultipliers(
  program: Program,
  u: UpdateRecord,
  objective: Objective,
  owners: readonly Owner[],
): Diagnostic[] {
  // Further stages may keep it in a set.
  if (u.by.includes('|>')) return [];
  const same = program.updates.filter((other) => other.entry === u.entry && other.sense === u.sense && other.objectives.some((o) => o.text === objective.text)); // prettier-ignore
  const nodes = reachable([objective.node]);
  return owners.flatMap((owner) => {
    const partners = new Set(same.flatMap((other) => other.targets.filter((cell) => !u.targets.some((t, i) => t === cell && owner.leaves.has(u.wrt[i]))))); // prettier-ignore
    const factors = new Set(nodes.filter((n) => partners.has(cellRead(n) ?? '') || (u.wrt.includes(n) && !owner.leaves.has(n)))); // prettier-ignore
    if (factors.size === 0) return [];
    // Behind a reversal the other one goes the other way.
    const direct = [owner.leaves, factors].every((met) => reach(objective.node, met).reversals.join() === '0');
    if (!direct) return [];
    if (!isAffine(objective.node, owner.leaves) || !nodes.some((n) => couples(n, owner.leaves, factors))) return [];
    const verb = u.sense === 'minimizing' ? 'descend' : 'climb';
    return [
      warning('OPT435', objective.span, `the objective is linear in ${owner.name}, whose factor is moved the same way: as both ${verb} it has no ${u.sense === 'minimizing' ? 'minimum' : 'maximum'}`, {
        labels: [{ span: u.span, text: 'moved here' }],
        hint: `a multiplier goes the other way: move ${owner.name} in an update of its own, ${u.sense === 'minimizing' ? 'maximizing' : 'minimizing'}`,
      }),
    ]; // prettier-ignore
  });
}

/** A product one of whose sides depends on the first and another on the second. */
function couples(node: Node, first: ReadonlySet<Node>, second: ReadonlySet<Node>): boolean {
  if (node.op !== 'mul' && node.op !== 'dot_general') return false;
  const [a, b] = node.inputs;
  return (dependsOn(a, first) && dependsOn(b, second)) || (dependsOn(b, first) && dependsOn(a, second));
}

function dependsOn(root: Node, leaves: ReadonlySet<Node>): boolean {
  const seen = new Set<Node>();
  const stack = [root];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (leaves.has(node)) return true;
    if (seen.has(node) || node.op === 'stop') continue;
    seen.add(node);
    stack.push(...dependencies(node));
  }
  return false;
}
