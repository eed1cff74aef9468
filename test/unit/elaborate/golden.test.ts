/** Programs and graphs of small specs, as `explain` prints them. Update with `npx vitest run test/unit/elaborate/golden.test.ts -u`. */
import { describe, expect, test } from 'vitest';
import { compileSpec } from './run-spec.ts';

const specs: Record<string, string> = {
  momentum: `use rules { sgd }
var x: f32[2] = [1, 2]
train 3 {
  let loss = sum(x^2)
  update x by sgd(0.1, momentum: 0.9) minimizing loss
  report loss
}
expect loss < 1
`,
  adversary: `use nn { linear }
use rules { sgd }
hyper lambda = progress
data D = { x: ones(4, 2), d: [1.0, 1.0, 0.0, 0.0] }
model F(x: f32[n, 2]) { linear(x, 3) }
model C(z: f32[n, 3]) { linear(z, 1)[:, 0] }
train 2 {
  batch b = D[2]
  let side = mean(softplus(C(reverse(F(b.x), by: lambda))) * b.d)
  update F, C by sgd(0.1) minimizing side
}
eval every 1 over D as e { metric out = mean(C(F(e.x))) }
export fn score(x: f32[1, 2]) = C(F(x))
`,
  runs: `use rules { adam }
frozen c: f32[2] ~ normal
trial fit(rate) {
  var x: f32[2] = 0
  train 2 { update x by adam(rate) minimizing sum((x - c)^2) }
  metric gap = norm(x - c)
}
run slow = fit(1e-3)
run fast = fit(1e-1)
expect median(fast.gap) < median(slow.gap) over seeds 1..=3
`,
};

describe('programs', () => {
  test.each(Object.keys(specs))('%s', async (name) => {
    const compiled = compileSpec(specs[name]);
    const text = ['updates', 'program', 'graph']
      .map((stage) => `== ${stage}\n${compiled.texts(stage as 'updates')}`)
      .join('\n')
      .replace(/ \/\/ ".*$/gm, ''); // places in library files are no part of the meaning
    await expect(text).toMatchFileSnapshot(`../../golden/program/${name}.txt`);
  });
});
