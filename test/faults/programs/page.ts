/** The way of a page: a GPU object handed over, promises awaited as they are. */
import { openPageDevice } from '../../../runtime/host/browser.ts';
import { cacheFolder } from '../../../runtime/host/cache-folder.ts';
import { openDevice } from '../../../runtime/host/driver.ts';
import { swiftshaderArchive, swiftshaderManifest, unpackSwiftshader } from '../../../runtime/host/swiftshader.ts';
import { load } from '../../../runtime/session.ts';
import { tinyBundle, tinyData } from '../../unit/runtime/tiny-bundle.ts';

// Where the system has no driver, the search finds the one of the packages and loads it into the process; where its description lies is told for the search
// alone, so the page's own request is told again.
const first = await openDevice();
const archive = swiftshaderArchive();
if (archive && /swiftshader/i.test(`${first.info.name} ${first.info.driver}`)) {
  process.env.VK_DRIVER_FILES = process.env.VK_ICD_FILENAMES = swiftshaderManifest(
    unpackSwiftshader(archive, cacheFolder()),
  );
}
first.close();
const { create } = await import('webgpu');

const device = await openPageDevice(create([]));
const session = await load(tinyBundle({ steps: 40 })).start({ device, data: tinyData });
let steps = 0;
for await (const report of session.train()) if (report.kind === 'step') steps++;
await session.dispose();
device.close();
const none = await openPageDevice(undefined).catch((reason: Error) => reason.message);
console.log(steps, none);
