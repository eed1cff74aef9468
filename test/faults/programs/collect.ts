/** Trains while garbage is collected at every turn of the event loop. Run with --expose-gc. */
import { openDevice } from '../../../runtime/host/driver.ts';
import { load } from '../../../runtime/session.ts';
import { tinyBundle, tinyData } from '../../unit/runtime/tiny-bundle.ts';

const gc = (globalThis as { gc?: () => void }).gc;
if (!gc) throw new Error('run with --expose-gc');
const collecting = setInterval(() => gc(), 0);

/** Nothing of the device is kept here but what the session keeps. */
async function begin() {
  const device = await openDevice('auto');
  return { session: await load(tinyBundle({ steps: 150, evalEvery: 40 })).start({ device, data: tinyData }), device };
}

const { session, device } = await begin();
let reports = 0;
for await (const report of session.train()) {
  gc();
  if (report.kind === 'step') reports++;
}
await session.save();
gc();
await session.dispose();
device.close();
clearInterval(collecting);
console.log(`reports ${reports}`);
