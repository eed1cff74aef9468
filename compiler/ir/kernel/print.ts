/** Text of kernels for golden files and `explain --stage kernels`. One statement per line. */
import type { Expression, Kernel, Stage, Statement, ValueId } from './kernel.ts';
import type { IndexVar } from './index-expr.ts';

export function printKernel(kernel: Kernel): string {
  const lines: string[] = [];
  for (const [k, branch] of kernel.branches.entries()) {
    lines.push(
      `branch ${k}: ${branch.group.extent} workgroups (${variable(branch.group)}) of ${kernel.workgroup} (${variable(branch.local)})${branch.gate ? ` if ${branch.gate.tensor}` : ''}`,
    );
    printBlock(branch.body, '  ', lines);
  }
  const { budget } = kernel;
  const bounded = budget ? ` of ${budget.work} operations a launch, at ${budget.at.tensor}` : '';
  if (kernel.sequence) lines.push(`sequence${bounded}`, ...stageLines(kernel.sequence, '  '));
  return lines.join('\n') + '\n';
}

function stageLines(stages: readonly Stage[], indent: string): string[] {
  return stages.flatMap((s) =>
    s.kind === 'run'
      ? [`${indent}branches ${s.branches.join(', ')}`]
      : [`${indent}${s.turns} turns${s.flag ? ` while ${s.flag.tensor}` : ''}`, ...stageLines(s.stages, `${indent}  `)],
  );
}

const variable = (v: IndexVar): string => `i${v.id}`;
const value = (id: ValueId): string => `%${id}`;
const list = (ids: readonly ValueId[]): string => ids.map(value).join(', ');

function printBlock(body: readonly Statement[], indent: string, lines: string[]): void {
  for (const s of body) {
    switch (s.kind) {
      case 'let':
        lines.push(`${indent}${value(s.id)}: ${s.dtype}${s.width === 4 ? 'x4' : ''} = ${expression(s.expr)}`);
        break;
      case 'store':
        lines.push(`${indent}${s.view.tensor}[${s.index.key}] = ${value(s.value)}`);
        break;
      case 'fault':
        lines.push(`${indent}fault ${s.number} for ${value(s.value)} unless ${value(s.ok)}`);
        break;
      case 'within':
        lines.push(`${indent}within ${variable(s.variable)} = ${s.index.key} < ${s.variable.extent}`);
        printBlock(s.body, indent + '  ', lines);
        break;
      case 'loop': {
        const range = `${variable(s.variable)} from ${s.start.key} below ${s.variable.extent} by ${s.step}`;
        const carries = s.carries.map((c) => `${value(c.id)} = ${value(c.init)} then ${value(c.next)}`).join(', ');
        lines.push(`${indent}loop ${range}${carries ? ` carrying ${carries}` : ''}`);
        printBlock(s.body, indent + '  ', lines);
        break;
      }
    }
  }
}

function expression(e: Expression): string {
  switch (e.kind) {
    case 'constant':
      return String(e.value);
    case 'op': {
      const attrs = Object.entries(e.attrs).filter(([, v]) => v !== undefined);
      const text = attrs.map(([name, v]) => `${name}: ${JSON.stringify(v)}`).join(', ');
      return `${e.op}(${list(e.args)})${text ? ` {${text}}` : ''}`;
    }
    case 'mad':
      return `mad(${list(e.args)})`;
    case 'index':
      return `index ${e.index.key}`;
    case 'load':
      return `${e.view.tensor}[${e.index.key}]`;
    case 'inside':
      return `${e.lo} <= ${e.index.key} <= ${e.hi}`;
    case 'clamp':
      return `clamp ${value(e.of)} to ${e.lo}..${e.hi}`;
    case 'component':
      return `${value(e.of)}.${e.component}`;
    case 'vector':
      return `(${list(e.of)})`;
    case 'array':
      return `array (${list(e.of)})`;
    case 'pick':
      return `${value(e.of)}[${e.index.key}]`;
    case 'shuffle':
      return `shuffle ${value(e.of)}.${e.component} from ${e.lane}`;
  }
}
