/** A validation error outside every scope while training: WebGPU would only print it and go on with zeros. */
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import { openDevice } from '../../../runtime/host/driver.ts';
import { load } from '../../../runtime/session.ts';
import { tinyBundle, tinyData } from '../../unit/runtime/tiny-bundle.ts';

const device = await openDevice('auto');
const session = await load(tinyBundle({ steps: 5000 })).start({ device, data: tinyData });
let seen = 0;
try {
  for await (const report of session.train()) {
    if (report.kind === 'step' && ++seen === 10) device.device.createBuffer({ size: 2 ** 50, usage: 128 });
  }
  console.log('no error');
} catch (reason) {
  if (!(reason instanceof SaddleError)) throw reason;
  console.log(reason.diagnostics[0].code, seen < 5000);
}
await session.dispose();
device.close();
