/** Looks for the device of the argument and prints what came of it as one JSON document. */
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import { searchDevice } from '../../../runtime/host/driver.ts';
import { deviceChoice } from '../../../runtime/host/settings.ts';

try {
  const search = await searchDevice(deviceChoice(process.argv[2] ?? 'auto'));
  console.log(JSON.stringify({ info: search.device.info, attempts: search.attempts }));
  search.device.close();
} catch (reason) {
  if (!(reason instanceof SaddleError)) throw reason;
  console.log(JSON.stringify(reason.diagnostics[0]));
}
