/** The way of a page: a GPU object handed over, promises awaited as they are. */
import { openPageDevice } from '../../../runtime/host/browser.ts';
import { openDevice } from '../../../runtime/host/driver.ts';
import { load } from '../../../runtime/session.ts';
import { tinyBundle, tinyData } from '../../unit/runtime/tiny-bundle.ts';

// Where the system has no driver, the search brings the one of the packages; Dawn must be loaded after it.
(await openDevice()).close();
const { create } = await import('webgpu');

const device = await openPageDevice(create([]));
const session = await load(tinyBundle({ steps: 40 })).start({ device, data: tinyData });
let steps = 0;
for await (const report of session.train()) if (report.kind === 'step') steps++;
await session.dispose();
device.close();
const none = await openPageDevice(undefined).catch((reason: Error) => reason.message);
console.log(steps, none);
