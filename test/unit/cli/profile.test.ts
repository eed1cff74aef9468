/** `saddle profile`: every kernel of a step and of an eval, with its share and its line. (That it measures is tested; how long things take is not.) */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { inFolder } from '../data/refused.ts';
import { saddle } from './saddle.ts';

const spec = `use rules { sgd }
var w: f32[64, 64] = 0.1
train 50 {
  sample x ~ normal f32[32, 64]
  let loss = mean((x @ w - x)^2)
  update w by sgd(0.1) minimizing loss
  report loss
}
eval every 25 { metric size = mean(abs(w)) }
`;

interface Document {
  status: string;
  clock: string;
  steps: number;
  entries: {
    entry: string;
    kind: string;
    ms: number;
    kernels: { label: string; place?: { file: string; line: number }; dispatches: number; ms: number; share: number }[];
  }[];
}

it('times every kernel of steps and evals, and names their lines', () =>
  inFolder(async (folder) => {
    writeFileSync(path.join(folder, 'fit.opt'), spec);
    const { code, stdout, stderr } = await saddle(['profile', 'fit.opt', '--steps', '3', '--json'], folder);
    expect(stderr).not.toContain('error[');
    expect(code).toBe(0);
    const document = JSON.parse(stdout) as Document;
    expect(document).toMatchObject({ status: 'ok', steps: 3 });
    expect(['timestamps', 'submissions']).toContain(document.clock);
    expect(document.entries.map((e) => e.kind)).toEqual(['step', 'eval']);
    for (const { kernels, ms } of document.entries) {
      expect(kernels.length).toBeGreaterThan(0);
      expect(kernels.reduce((sum, k) => sum + k.share, 0)).toBeCloseTo(1, 6);
      expect(kernels.reduce((sum, k) => sum + k.dispatches * k.ms, 0)).toBeCloseTo(ms, 6);
      const shares = kernels.map((k) => k.share);
      expect(shares).toEqual([...shares].sort((a, b) => b - a));
    }
    const lines = document.entries[0].kernels.map((k) => k.place?.line);
    expect(lines.some((line) => line === 5 || line === 6)).toBe(true);
  }));

it('needs a device', () =>
  inFolder(async (folder) => {
    writeFileSync(path.join(folder, 'fit.opt'), spec);
    const { code, stdout, stderr } = await saddle(['profile', 'fit.opt', '--device', 'reference', '--json'], folder);
    expect(code).toBe(2);
    expect(stderr).toContain('OPT803');
    expect(JSON.parse(stdout)).toMatchObject({ status: 'failed', error: { code: 'OPT803' } });
  }));
