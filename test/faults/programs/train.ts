/** Trains on the device of the argument and prints the last weights. */
import { openDevice } from '../../../runtime/host/driver.ts';
import { deviceChoice } from '../../../runtime/host/settings.ts';
import { load } from '../../../runtime/session.ts';
import { tinyBundle, tinyData } from '../../unit/runtime/tiny-bundle.ts';

const device = await openDevice(deviceChoice(process.argv[2]));
const session = await load(tinyBundle({ steps: 100 })).start({ device, data: tinyData });
for await (const report of session.train()) void report;
const cells = await session.get('Line');
await session.dispose();
console.log(
  JSON.stringify({ driver: device.info.driver, w: [...cells['/w'].values], live: session.backend.bytes.live }),
);
device.close();
