/**
 * Stages of one workgroup as WGSL. Barriers stand in loops that all invocations leave together, and under conditions that are the same for all of them; what
 * is asked of a gate is around the code of a single branch.
 *
 * With a budget every stage and loop is under the question where the kernel stands (`at`): stages are run where it is 1. After a launch that ended in loop k, the loops on the way
 * to k are entered at their turns and all stages before it are skipped; where the work of this launch is done, `at` becomes the number of a loop again, and all stages
 * that follow are skipped, and all loops around are left.
 */
import { turnsOf, type Kernel, type Stage, type Turns, type View } from '../ir/kernel/kernel.ts';
import { names } from './names.ts';

/** Where the text goes, and what the stages consist of. */
export interface StageTarget {
  line(depth: number, text: string): void;
  /** The u32 word of a view of one element. */
  word(view: View): string;
  /** Writes the code of a branch. */
  branch(number: number, depth: number): void;
  /** The number of turns of a loop. */
  bound(turns: number): string;
}

/** Writes the stages of a kernel with a sequence. */
export function writeStages(kernel: Kernel, target: StageTarget, depth: number): void {
  new StageWriter(kernel, target).write(depth);
}

class StageWriter {
  private readonly kernel: Kernel;
  private readonly target: StageTarget;
  private readonly loops: readonly Turns[];

  constructor(kernel: Kernel, target: StageTarget) {
    this.kernel = kernel;
    this.target = target;
    this.loops = turnsOf(kernel.sequence);
  }

  write(depth: number): void {
    const { sequence = [], budget } = this.kernel;
    if (!budget) return this.stages(sequence, depth);
    const { at, left } = names;
    const { target } = this;
    this.share(budget.at, depth);
    target.line(depth, `var ${at} = workgroupUniformLoad(&${names.flag});`);
    target.line(depth, `if (${at} == 0u) { return; }`);
    budget.turns.forEach((view, k) => {
      this.share(view, depth);
      target.line(depth, `var ${names.turn(k)} = i32(workgroupUniformLoad(&${names.flag}));`);
    });
    target.line(depth, `var ${left} = ${budget.work};`);
    this.stages(sequence, depth);
    target.line(depth, `if (${names.local} == 0u) {`);
    target.line(depth + 1, `${target.word(budget.at)} = select(${at}, 0u, ${at} == 1u);`);
    budget.turns.forEach((view, k) => target.line(depth + 1, `${target.word(view)} = u32(${names.turn(k)});`));
    target.line(depth, '}');
  }

  /** Puts a word where all invocations can read it at once. */
  private share(view: View, depth: number): void {
    this.target.line(depth, `if (${names.local} == 0u) { ${names.flag} = ${this.target.word(view)}; }`);
  }

  private stages(stages: readonly Stage[], depth: number): void {
    for (const stage of stages) {
      if (stage.kind === 'turns') {
        if (this.kernel.budget) this.resumable(stage, depth);
        else this.loop(stage, depth);
        continue;
      }
      if (this.kernel.budget) this.target.line(depth, `if (${names.at} == 1u) {`);
      for (const k of stage.branches) this.target.branch(k, this.kernel.budget ? depth + 1 : depth);
      if (this.kernel.budget) this.target.line(depth, '}');
      this.target.line(depth, 'storageBarrier();');
    }
  }

  private loop(stage: Turns, depth: number): void {
    const { target } = this;
    const turn = names.turn(this.loops.indexOf(stage));
    target.line(depth, `for (var ${turn} = 0; ${turn} < ${target.bound(stage.turns)}; ${turn}++) {`);
    this.flag(stage, depth + 1);
    this.stages(stage.stages, depth + 1);
    target.line(depth, '}');
  }

  private flag(stage: Turns, depth: number): void {
    if (!stage.flag) return;
    this.share(stage.flag, depth);
    this.target.line(depth, `if (workgroupUniformLoad(&${names.flag}) == 0u) { break; }`);
  }

  private resumable(stage: Turns, depth: number): void {
    const { target } = this;
    const { at, left } = names;
    const k = this.loops.indexOf(stage);
    const own = k + 2;
    const last = own + turnsOf(stage.stages).length;
    const turn = names.turn(k);
    target.line(depth, `if (${at} == 1u) { ${turn} = 0; }`);
    target.line(depth, `if (${at} == 1u || (${at} >= ${own}u && ${at} <= ${last}u)) {`);
    target.line(depth + 1, `for (; ${turn} < ${target.bound(stage.turns)}; ${turn}++) {`);
    target.line(depth + 2, `if (${at} == ${own}u) { ${at} = 1u; }`);
    target.line(depth + 2, `if (${at} == 1u) {`);
    this.flag(stage, depth + 3);
    target.line(depth + 3, `if (${left} <= 0) { ${at} = ${own}u; break; }`);
    target.line(depth + 3, `${left} -= ${Math.ceil(stage.work)};`);
    target.line(depth + 2, '}');
    this.stages(stage.stages, depth + 2);
    target.line(depth + 2, `if (${at} != 1u) { break; }`);
    target.line(depth + 1, '}');
    target.line(depth, '}');
  }
}
