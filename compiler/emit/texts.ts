/** Texts of the later stages for `explain`: programs entry by entry, kernels, plans and costs of a bundle. */
import { countDispatches, eachCommand } from '../bundle/commands.ts';
import type { Bundle, Command } from '../bundle/format.ts';
import { print } from '../ir/tensor/print.ts';
import type { Program } from '../ir/program.ts';
import { typeText } from '../ir/tensor/graph.ts';

/** Cells, hypers and data of a program, then its schedule and entries without their graphs. */
export function programText(program: Program): string {
  const lines: string[] = [];
  for (const h of program.hypers) lines.push(`hyper ${h.name}`);
  for (const d of program.data)
    lines.push(
      `data ${d.name}: ${d.rows} rows { ${d.fields.map((f) => `${f.name}: ${typeText(f.type)}`).join(', ')} } from "${d.source}"`,
    );
  for (const c of program.cells)
    lines.push(`${c.kind} ${c.id}: ${typeText(c.type)}${c.storage ? ` stored as ${c.storage}` : ''}`);
  for (const [i, phase] of program.schedule.entries()) {
    lines.push(
      `${i}. ${phase.kind} ${phase.entry}${phase.kind === 'train' ? ` for ${phase.steps} steps${phase.evals.map((v) => `, eval ${v.entry}`).join('')}` : ''}`,
    );
  }
  for (const entry of program.entries) {
    lines.push(`entry ${entry.id}`);
    for (const input of entry.inputs) lines.push(`  input ${input.name}: ${typeText(input.type)}`);
    for (const w of entry.writes) lines.push(`  write ${w.cell}`);
    for (const o of entry.outputs) lines.push(`  ${o.kind} ${o.name}: ${typeText(o.value.type)}`);
  }
  for (const claim of program.claims) lines.push(`expect ${claim.text}`);
  return `${lines.join('\n')}\n`;
}

/** Tensor graphs, entry by entry. */
export function graphText(program: Program): string {
  return program.entries
    .map((entry) => {
      const roots = [...entry.outputs.map((o) => o.value), ...entry.writes.map((w) => w.value)];
      const names = [...entry.outputs.map((o) => `${o.kind} ${o.name}`), ...entry.writes.map((w) => `write ${w.cell}`)];
      return `entry ${entry.id}: ${names.join(', ')}\n${print(roots)}`;
    })
    .join('\n');
}

export function kernelsText(bundle: Bundle): string {
  return bundle.kernels
    .map(
      (k) =>
        `${k.id}  ${k.label}  workgroup ${k.workgroup.join('x')}  ${k.bindings.join(', ')}${k.places.map((p) => `\n    ${p.file}:${p.line}:${p.column}`).join('')}\n`,
    )
    .join('');
}

export function wgslText(bundle: Bundle): string {
  return bundle.kernels.map((k) => `// ${k.id}  ${k.label}\n${k.wgsl}\n`).join('\n');
}

export function planText(bundle: Bundle): string {
  return bundle.entries
    .map((entry) => {
      const lines = commandLines(entry.commands, '  ');
      return `entry ${entry.id}: ${countDispatches(entry.commands)} dispatches\n${lines.join('\n')}\n`;
    })
    .join('\n');
}

function commandLines(commands: readonly Command[], indent: string): string[] {
  const inner = `${indent}  `;
  return commands.flatMap((c) => {
    switch (c.kind) {
      case 'dispatch':
        return [
          `${indent}dispatch ${c.kernel} ${c.executions ? `once for up to ${c.executions} steps` : c.groups.join('x')} (${c.bindings.map((b) => b.buffer).join(', ')})`,
        ];
      case 'copy':
        return [`${indent}copy ${c.from}+${c.fromOffset} -> ${c.to}+${c.toOffset} ${c.bytes} bytes`];
      case 'loop':
        return [`${indent}loop ${c.flag ? 'at most ' : ''}${c.turns} turns`, ...commandLines(c.commands, inner)];
      case 'if': {
        const otherwise = c.otherwise.length > 0 ? [`${indent}else`, ...commandLines(c.otherwise, inner)] : [];
        return [`${indent}if host value ${c.value}`, ...commandLines(c.commands, inner), ...otherwise];
      }
    }
  });
}

/** Estimates before anything runs: work and traffic of each entry, bytes of memory and bindings. */
export function costText(bundle: Bundle): string {
  const lines = bundle.entries.map((entry) => {
    let bindings = 0;
    eachCommand(entry.commands, (c) => {
      if (c.kind === 'dispatch') bindings = Math.max(bindings, c.bindings.length);
    });
    return `${entry.id}: ${countDispatches(entry.commands)} dispatches, ${entry.cost.flops} flops, ${entry.cost.bytes} bytes moved, at most ${bindings} bindings, ${bundle.memory.temps[entry.id] ?? 0} bytes of temporaries`;
  });
  lines.push(
    ...bundle.buffers.map((b) => `buffer ${b.id} (${b.role}): ${b.bytes} bytes`),
    `total: ${bundle.memory.total} bytes`,
  );
  return `${lines.join('\n')}\n`;
}
