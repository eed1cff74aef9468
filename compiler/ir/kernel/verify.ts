/**
 * The kernel verifier: every value is defined before it is used, every access lies within its view (by interval analysis of the index; guards
 * are the ranges of `within` variables and clamped values), and every run-time index value is a clamped one. Returns problems as text.
 */
import { laneOf, lanePattern, visitAtoms, type IndexExpr } from './index-expr.ts';
import { turnsOf, type Kernel, type Stage, type Statement, type ValueId, type View } from './kernel.ts';

export function verifyKernel(kernel: Kernel): string[] {
  const problems: string[] = [];
  for (const branch of kernel.branches) {
    const values = new Map<ValueId, Statement | 'carry'>();
    const variables = new Set<number>([branch.group.id, branch.local.id]);
    verifyBlock(branch.body, { values, variables, problems });
    if (kernel.sequence && kernel.subgroups && branch.gate) problems.push('a shuffle under a gate within a sequence');
  }
  if (kernel.sequence) problems.push(...verifyStages(kernel.sequence, kernel.branches.length));
  problems.push(...verifyBudget(kernel));
  return problems;
}

function verifyBudget({ budget, sequence }: Kernel): string[] {
  if (!budget) return [];
  const loops = turnsOf(sequence);
  const places = new Set([budget.at, ...budget.turns].map((v) => v.tensor));
  return [
    ...(loops.length === budget.turns.length ? [] : [`${loops.length} loops keep ${budget.turns.length} turns`]),
    ...(places.size === 1 + budget.turns.length ? [] : ['two loops keep their turns in one word']),
    ...(budget.work > 0 && loops.every((s) => s.work > 0) ? [] : ['turns that cost nothing never end a launch']),
  ];
}

function verifyStages(stages: readonly Stage[], branches: number): string[] {
  return stages.flatMap((s) => {
    if (s.kind === 'turns') return verifyStages(s.stages, branches);
    return s.branches.filter((k) => k < 0 || k >= branches).map((k) => `a stage runs branch ${k} of ${branches}`);
  });
}

interface Scope {
  readonly values: Map<ValueId, Statement | 'carry'>;
  readonly variables: Set<number>;
  readonly problems: string[];
}

function verifyBlock(body: readonly Statement[], scope: Scope): void {
  const { problems } = scope;
  const known = (id: ValueId, where: string): void => {
    if (!scope.values.has(id)) problems.push(`${where} uses value ${id} before it is defined`);
  };
  for (const s of body) {
    switch (s.kind) {
      case 'let': {
        const e = s.expr;
        if (e.kind === 'op' || e.kind === 'mad') e.args.forEach((id) => known(id, e.kind));
        if (e.kind === 'vector' || e.kind === 'array') e.of.forEach((id) => known(id, e.kind));
        if (e.kind === 'clamp' || e.kind === 'component' || e.kind === 'shuffle' || e.kind === 'pick') {
          known(e.of, e.kind);
        }
        if ('index' in e) verifyIndex(e.index, scope);
        if (e.kind === 'load') verifyAccess('load', e.view, e.index, problems);
        if (e.kind === 'pick' && (e.index.lo < 0 || e.index.hi >= e.length)) {
          problems.push(`pick ${e.index.key} in ${e.index.lo}..${e.index.hi} from ${e.length} values`);
        }
        scope.values.set(s.id, s);
        break;
      }
      case 'store':
        known(s.value, 'store');
        verifyIndex(s.index, scope);
        verifyAccess('store', s.view, s.index, problems);
        break;
      case 'fault':
        known(s.ok, 'fault');
        known(s.value, 'fault');
        break;
      case 'loop': {
        s.carries.forEach((c) => known(c.init, 'loop'));
        verifyIndex(s.start, scope);
        if (laneOf(s.start)) problems.push('the bounds of a loop differ by component');
        if (s.start.lo < 0) problems.push(`loop starts at ${s.start.key}, which may be negative`);
        if (!(s.step > 0)) problems.push('a loop must step forwards');
        const inner = {
          values: new Map(scope.values),
          variables: new Set(scope.variables).add(s.variable.id),
          problems,
        };
        s.carries.forEach((c) => inner.values.set(c.id, 'carry'));
        if (s.variable.extent > 0) {
          verifyBlock(s.body, inner);
          for (const c of s.carries)
            if (!inner.values.has(c.next)) problems.push(`loop carries undefined value ${c.next}`);
        }
        s.carries.forEach((c) => scope.values.set(c.id, 'carry'));
        break;
      }
      case 'within':
        verifyIndex(s.index, scope);
        if (laneOf(s.index)) problems.push(`the guard ${s.index.key} differs by component`);
        verifyBlock(s.body, {
          values: new Map(scope.values),
          variables: new Set(scope.variables).add(s.variable.id),
          problems,
        });
        break;
    }
  }
}

function verifyIndex(index: IndexExpr, scope: Scope): void {
  visitAtoms(index, (a) => {
    if (a.kind === 'var') {
      if (!a.lane && !scope.variables.has(a.id))
        scope.problems.push(`index ${index.key} uses variable ${a.id} out of scope`);
      return;
    }
    if (a.kind !== 'value') return;
    const made = scope.values.get(a.value);
    if (!made || made === 'carry' || made.kind !== 'let' || made.expr.kind !== 'clamp') {
      scope.problems.push(`index ${index.key} uses value ${a.value}, which is not a clamped one`);
    } else if (made.expr.lo < a.lo || made.expr.hi > a.hi || made.width !== 1) {
      scope.problems.push(`index ${index.key}: value ${a.value} does not lie in ${a.lo}..${a.hi}`);
    }
  });
}

function verifyAccess(what: string, view: View, index: IndexExpr, problems: string[]): void {
  if (index.lo < 0 || index.hi >= view.size) {
    problems.push(`${what} of ${view.tensor}[${index.key}]: index in ${index.lo}..${index.hi}, size ${view.size}`);
  }
  if (what === 'store' && view.storage !== 'word') problems.push(`store into packed ${view.tensor}`);
  if (what === 'store' && lanePattern(index).kind === 'gather' && view.storage === 'u8') {
    problems.push(`scattered store into packed ${view.tensor}`);
  }
}
