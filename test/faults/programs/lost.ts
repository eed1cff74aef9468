/** The device goes away in the middle of training. */
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import { openDevice } from '../../../runtime/host/driver.ts';
import { load } from '../../../runtime/session.ts';
import { tinyBundle, tinyData } from '../../unit/runtime/tiny-bundle.ts';

const device = await openDevice('auto');
const session = await load(tinyBundle({ steps: 100000 })).start({ device, data: tinyData });
let seen = 0;
try {
  for await (const report of session.train()) {
    // Not through us: as if the driver had taken it.
    if (report.kind === 'step' && ++seen === 100) device.device.destroy();
  }
  console.log('no error');
} catch (reason) {
  if (!(reason instanceof SaddleError)) throw reason;
  console.log(reason.diagnostics[0].code, reason.diagnostics[0].message);
}
try {
  await session.save();
} catch (reason) {
  if (!(reason instanceof SaddleError)) throw reason;
  console.log('save:', reason.diagnostics[0].code);
}
await session.dispose();
device.close();
