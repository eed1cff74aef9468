/**
 * Random programs of choices and loops: as loops of the graph they do what they do as straight code, to the last cell, report and draw; and what is refused in
 * one is refused in the other. Straight code is forced by a use of the index that must be known when compiling.
 */
import { expect, test } from 'vitest';
import { seededRng } from '../../fuzz/rng.ts';
import { Machine, tryCompile } from './run-spec.ts';

interface Text {
  readonly loops: string;
  readonly straight: string;
}

class Writer {
  private readonly rng;
  private next = 0;

  constructor(seed: number) {
    this.rng = seededRng(seed);
  }

  private pick<T>(items: readonly T[]): T {
    return items[this.rng.integer(0, items.length)];
  }

  body(depth: number, index: string | undefined, locals: readonly string[]): Text {
    const own = [...locals];
    const parts: Text[] = [];
    for (let k = this.rng.integer(2, 5); k > 0; k--) parts.push(this.statement(depth, index, own));
    return { loops: parts.map((p) => p.loops).join('\n'), straight: parts.map((p) => p.straight).join('\n') };
  }

  private cell(locals: readonly string[]): string {
    return this.pick(['x', 'y', ...locals]);
  }

  private statement(depth: number, index: string | undefined, locals: string[]): Text {
    const n = this.next++;
    const [a, b] = [this.cell(locals), this.cell(locals)];
    const same = (text: string): Text => ({ loops: text, straight: text });
    const around = (head: string, inner: Text, tail = ''): Text => ({
      loops: `${head} {\n${inner.loops}\n}${tail}`,
      straight: `${head} {\n${inner.straight}\n}${tail}`,
    });
    switch (this.rng.integer(0, depth > 0 ? 13 : 9)) {
      case 0:
        return same(`${a} <- 0.5 * ${a} + 0.3 * tanh(${b})`);
      case 1:
        return same(`sample z${n} ~ normal f32\n${a} <- 0.9 * ${a} + 0.1 * z${n}`);
      case 2:
        return same(`batch b${n} = D[2]\n${a} <- 0.5 * ${a} + 0.1 * sum(b${n}.v) - 0.05 * b${n}.v[0]`);
      case 3:
        return same(`report r${n} = ${a} + 2 * ${b}`);
      case 4:
        locals.push(`t${n}`);
        return same(`var t${n} = 0.5 * ${a}`);
      case 5:
        return same(`${a} <- 0.9 * ${a} + 0.01 * f32(${index ?? 'step'})`);
      case 6:
      case 7: {
        const rule = this.pick(['sgd(0.05, momentum: 0.5)', 'adam(0.02)']);
        // now and then without stop, which may have to be refused
        const other = this.rng.uniform() < 0.15 ? b : `stop(${b})`;
        return same(`update ${a} by ${rule} minimizing (${a} - ${other})^2 allow OPT418`);
      }
      case 8:
        return same(`if ${a} > ${b} { ${a} <- ${a} - 0.1 } else { ${b} <- ${b} - 0.05; report r${n} = ${a} }`);
      case 9: {
        const text = around(`if ${a} < 0.3 + ${b}`, this.body(depth - 1, index, locals), ' else {\n');
        const other = this.body(depth - 1, index, locals);
        return { loops: `${text.loops}${other.loops}\n}`, straight: `${text.straight}${other.straight}\n}` };
      }
      case 10:
        return around(`every ${this.pick([2, 3])}`, this.body(depth - 1, index, locals));
      case 11:
        return around(`while ${a} > 0.2 max 4`, this.body(depth - 1, index, locals));
      default: {
        const [turns, restart] = [this.pick([9, 10]), this.pick(['', ' restart'])];
        const inner = this.body(depth - 1, `i${n}`, locals);
        const known = { loops: inner.loops, straight: `let k${n} = zeros(i${n})\n${inner.straight}` };
        return around(`repeat ${turns} as i${n}${restart}`, known);
      }
    }
  }
}

const spec = (body: string) => `use rules { sgd, adam }
data D = { v: f32(0..7) }
var x = 1.0
var y = 0.5
train 4 {
${body}
report end_x = x, end_y = y
}`;

test.each(Array.from({ length: 60 }, (_, seed) => seed))('program %i', (seed) => {
  const { loops, straight } = new Writer(seed).body(3, undefined, []);
  const [a, b] = [loops, straight].map((body) => tryCompile(spec(body)));
  if (!a.ok || !b.ok) {
    const codes = [a, b].map((r) => r.diagnostics.find((d) => d.severity === 'error')?.code);
    expect(codes[0], spec(loops)).toBe(codes[1]);
    return;
  }
  const [ours, exact] = [a.value, b.value].map((c) => new Machine(c.program, {}, seed).run());
  expect([...ours.series.keys()].sort(), spec(loops)).toEqual([...exact.series.keys()].sort());
  for (const [name, values] of exact.series) {
    const found = ours.all(name);
    expect(found.length, `${name} of\n${spec(loops)}`).toBe(values.length);
    values.forEach((v, k) => expect(found[k], `${name} of\n${spec(loops)}`).toBeCloseTo(v, 9));
  }
  expect([...ours.cells.keys()].sort()).toEqual([...exact.cells.keys()].sort());
  for (const [id, { data }] of exact.cells)
    data.forEach((v, k) => expect(ours.values(id)[k], `${id} of\n${spec(loops)}`).toBeCloseTo(v, 9));
});
