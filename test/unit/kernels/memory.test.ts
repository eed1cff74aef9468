/** Memory that a step takes: an estimator that compares values needs little more than inference, since its noise is made again and its passes come one after the other. */
import { expect, test } from 'vitest';
import { holds } from '../elaborate/decide.ts';

const text = (claims: string): string => `use nn { linear, tanh }
use rules { sgd }
use estimators { spsa }
dim B = 512
dim W = 64
let rows = map 0..B as i { map 0..W as j { sin(0.37 * f32(i * W + j)) } }
model Net(x: f32[n, W]) {
  let h[0] = x
  for l in 0..8 { let h[l + 1] = tanh(linear(h[l], W)) }
  linear(h[8], 1)
}
fn loss = mean((Net(rows) - 1)^2)
trial inference() { train 1 { report value = loss } }
trial tune(est: estimator) { train 1 { update Net by sgd(1e-3) minimizing loss with est } }
run inf = inference()
run zo = tune(spsa())
run ft = tune(backprop())
${claims}`;

test(
  'a step of two forward passes takes the memory of one, and of the weights of a layer or two',
  { timeout: 60_000 },
  async () => {
    const claims = [
      'peak_bytes(zo.step) <= 1.08 * peak_bytes(inf.step)',
      'peak_bytes(zo.step) - peak_bytes(inf.step) <= 2.5 * 4 * W^2',
      'peak_bytes(ft.step) >= 2 * peak_bytes(zo.step)',
    ];
    expect(await holds(text(claims.map((c) => `expect ${c}`).join('\n')))).toEqual([true, true, true]);
  },
);

const transformer = `use nn { linear, layer_norm, transformer_block }
use rules { sgd }
use estimators { spsa }
let rows = map 0..256 as i { map 0..64 as j { sin(0.37 * f32(i * 64 + j)) } }
model Net(x: f32[n, 64]) {
  param place: f32[8, 32] ~ normal(0, 0.02)
  let h[0] = linear(reshape(x, -1, 8, 8), 32) + place
  for l in 0..2 { let h[l + 1] = transformer_block(h[l], heads: 4) }
  linear(mean(layer_norm(h[2]), axis: 1), 10)
}
fn loss = mean(Net(rows)^2)
trial inference() { train 1 { report value = loss } }
trial tune(est: estimator) { train 1 { update Net by sgd(1e-3) minimizing loss with est } }
run inf = inference()
run zo = tune(spsa())
run ft = tune(backprop())
expect peak_bytes(zo.step) <= 1.05 * peak_bytes(inf.step)
expect peak_bytes(ft.step) >= 2 * peak_bytes(zo.step)`;

test('the passes of an estimator through a transformer do not interleave', { timeout: 60_000 }, async () => {
  expect(await holds(transformer)).toEqual([true, true]);
});
