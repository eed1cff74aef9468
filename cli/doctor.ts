/** `saddle doctor`: what this machine offers to Saddle, and what to install. Exit code 3 where no device computes correctly. */
import { examine, type DoctorReport } from '../runtime/host/doctor.ts';
import { deviceChoice, readSettings } from '../runtime/host/settings.ts';
import { exitCodes, type ExitCode } from './outcome.ts';
import { coloursFor, print, printJson } from './terminal.ts';

/** The limits that matter to kernels, out of all that `--json` gives. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
];

export async function doctorCommand(options: { readonly device?: string; readonly json?: boolean }): Promise<ExitCode> {
  const report = await examine(options.device === undefined ? readSettings().device : deviceChoice(options.device));
  if (options.json) printJson(report);
  else for (const line of lines(report)) print(line);
  return report.ok ? exitCodes.ok : exitCodes.run;
}

function lines(r: DoctorReport): string[] {
  const c = coloursFor(process.stdout);
  const mark = (ok: boolean) => (ok ? c.green('ok') : c.red('no'));
  const row = (name: string, text: string) => `${name.padEnd(13)} ${text}`;
  const list = [
    row('node', `${r.node} on ${r.platform}`),
    row('device', r.device ? `${r.device.name} (${r.device.class})` : c.red('none')),
  ];
  if (r.device) list.push(row('driver', r.device.driver));
  if (r.computation)
    list.push(
      row(
        'computation',
        `${mark(r.computation.ok)} ${r.computation.text} (${r.computation.milliseconds.toFixed(0)} ms)`,
      ),
    );
  if (r.features) list.push(row('features', r.features.join(', ') || 'none'));
  for (const name of LIMITS) if (r.limits && name in r.limits) list.push(row('limit', `${name} ${r.limits[name]}`));
  for (const attempt of r.attempts) list.push(row('tried', `${attempt.way}: ${attempt.outcome}`));
  for (const p of r.packages) list.push(row('package', `${mark(p.found)} ${p.name} (${p.use})`));
  list.push(row('cache', r.cache));
  for (const advice of r.advice) list.push(`${c.cyan('help')}: ${advice}`);
  return list;
}
