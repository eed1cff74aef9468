/** A kernel that never ends, on a device that may take two seconds. */
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import { openDevice } from '../../../runtime/host/driver.ts';
import { load } from '../../../runtime/session.ts';
import { tinyBundle, tinyData } from '../../unit/runtime/tiny-bundle.ts';

const bundle = tinyBundle({ steps: 100 });
const endless = bundle.kernels.map((k) =>
  k.id === 'update'
    ? { ...k, wgsl: k.wgsl.replace('cells[0] =', 'while (params[0] < 1e30) { cells[1] += 1.0; } cells[0] =') }
    : k,
);
const device = await openDevice('auto', { limitMs: 2000 });
const session = await load({ ...bundle, kernels: endless }).start({ device, data: tinyData });
try {
  for await (const report of session.train()) void report;
  console.log('no error');
} catch (reason) {
  if (!(reason instanceof SaddleError)) throw reason;
  console.log(reason.diagnostics[0].code);
}
await session.dispose();
device.close();
process.exit(3);
