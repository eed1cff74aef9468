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
