/** `saddle graph`: which paths of derivatives are drawn as direct, reversed, stopped, ascending. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Diagram, DiagramPart } from '../../../compiler/check/diagram.ts';
import { inFolder } from '../data/refused.ts';
import { saddle } from './saddle.ts';

const spec = `use rules { sgd }
var w: f32[3] = 1
var v: f32 = 2
var seen: f32 = 0
var shift: f32 = 0
fn side(h) = sum(h * v)
train 2 {
  let plain = sum(w^2) + shift
  let mixed = side(reverse(w, by: 0.5))
  let held = v * sum(stop(w))
  update w, v by sgd(0.1) minimizing plain + mixed + 2 * held
  seen <- seen + 1
  shift <- shift + 1
  update v by sgd(0.1) maximizing -(v - 1)^2 allow OPT418
}
`;

async function drawn(folder: string): Promise<Diagram> {
  const file = path.join(folder, 'spec.opt');
  writeFileSync(file, spec);
  const { code, stdout } = await saddle(['graph', file, '--json']);
  expect(code).toBe(0);
  return JSON.parse(stdout) as Diagram;
}

/** `from kind to label` of every edge, by the labels of its ends. */
function edges(part: DiagramPart): string[] {
  const name = new Map(part.nodes.map((n) => [n.id, n.label]));
  return part.edges.map((e) => `${name.get(e.from)} ${e.kind} ${name.get(e.to)} ${e.label}`.trim());
}

describe('the optimization graph', () => {
  it('shows what is solved where the solver writes the variables itself', async () => {
    await inFolder(async (folder) => {
      const file = path.join(folder, 'solve.opt');
      writeFileSync(
        file,
        `use solvers { sketched_newton, simultaneous }
problem p {
  over x: f32[2] = [2, 2]
  minimize log(1 + x[0]^2) - x[1]
  subject to a: (1 + x[0]^2)^2 + x[1]^2 == 4
}
problem game {
  over u: f32 = 1
  over v: f32 = 1
  player one moves u minimizes u * v + u^2
  player other moves v maximizes u * v - v^2
}
run r = solve p by sketched_newton() for 9
run g = solve game by simultaneous() for 9
`,
      );
      const { code, stdout } = await saddle(['graph', file, '--json']);
      expect(code).toBe(0);
      const { parts } = JSON.parse(stdout) as Diagram;
      const solved = 'solve p by sketched_newton()';
      expect(edges(parts[0]).toSorted()).toEqual(
        [
          `a: (1 + x[0]^2)^2 + x[1]^2 == 4 objective ${solved}`,
          'p.x reads a: (1 + x[0]^2)^2 + x[1]^2 == 4',
          'p.x reads log(1 + x[0]^2)',
          'p.x reads x[1]',
          `log(1 + x[0]^2) objective ${solved}`,
          `${solved} moves p.x`,
          `x[1] objective ${solved}`,
        ].toSorted(),
      );
      expect(edges(parts[1])).toEqual(expect.arrayContaining(['game.u reads u * v', 'v^2 objective solve game by simultaneous()', 'solve game by simultaneous() moves game.v'])); // prettier-ignore
    });
  });
  it('tells direct, reversed, stopped and ascending paths apart', async () => {
    await inFolder(async (folder) => {
      const { parts } = await drawn(folder);
      expect(parts).toHaveLength(1);
      const found = edges(parts[0]);
      expect(found).toEqual(
        expect.arrayContaining([
          '1. sgd(0.1) descends w sum(w^2)',
          '1. sgd(0.1) reversed w 0.5 · mixed',
          '1. sgd(0.1) descends v mixed',
          '1. sgd(0.1) descends v 2 · held',
          'w stopped held',
          'w reads mixed',
          'v reads held',
          'shift reads shift',
          '<- shift + 1 moves shift',
          '2. sgd(0.1) descends v (v - 1)^2',
        ]),
      );
      expect(found.filter((e) => e.includes('seen'))).toEqual([]);
      expect(found).not.toContain('1. sgd(0.1) descends w 2 · held');
    });
  });
  it('is written as svg and as dot', async () => {
    await inFolder(async (folder) => {
      await drawn(folder);
      const file = path.join(folder, 'spec.opt');
      for (const [name, begins] of [
        ['g.svg', '<?xml'],
        ['deep/g.dot', 'digraph "spec"'],
      ]) {
        const to = path.join(folder, name);
        expect(await saddle(['graph', file, '-o', to])).toMatchObject({ code: 0, stderr: '' });
        expect(readFileSync(to, 'utf8').startsWith(begins)).toBe(true);
      }
      expect(readFileSync(path.join(folder, 'g.svg'), 'utf8')).toContain('reversed 0.5 · mixed');
      const refused = await saddle(['graph', file, '-o', path.join(folder, 'g.png')]);
      expect(refused).toMatchObject({ code: 2, stdout: '' });
      expect(refused.stderr).toContain('error[OPT803]');
      const lost = await saddle(['graph', file, '-o', path.join(file, 'g.svg')]);
      expect(lost.code).toBe(2);
      expect(lost.stderr).toContain('error[OPT804]');
    });
  });
  it('of the domain-adversarial example is the picture of the README', async () => {
    await inFolder(async (folder) => {
      const to = path.join(folder, 'dann.svg');
      expect(await saddle(['graph', 'examples/dann/digits.opt', '-o', to])).toMatchObject({ code: 0 });
      await expect(readFileSync(to, 'utf8')).toMatchFileSnapshot('../../../docs/dann.svg');
    });
  });
  it('is refused where nothing is moved', async () => {
    await inFolder(async (folder) => {
      const file = path.join(folder, 'still.opt');
      writeFileSync(file, 'metric a = 1 + 1\n');
      const { code, stderr } = await saddle(['graph', file]);
      expect(code).toBe(2);
      expect(stderr).toContain('error[OPT806]');
    });
  });
});
