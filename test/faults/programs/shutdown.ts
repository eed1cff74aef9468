/** Ends in the way given by the argument; every way must end the process, with the exit code that was meant. */
import { openDevice } from '../../../runtime/host/driver.ts';
import { load } from '../../../runtime/session.ts';
import { tinyBundle, tinyData } from '../../unit/runtime/tiny-bundle.ts';

const order = process.argv[2];
const device = await openDevice('auto');
if (order === 'nothing-run') process.exitCode = 0;
else {
  const session = await load(tinyBundle({ steps: 64, evalEvery: 16 })).start({ device, data: tinyData });
  const training = session.train();
  await training.next();
  switch (order) {
    case 'dispose-close':
      await training.return();
      await session.dispose();
      device.close();
      break;
    case 'close-dispose':
      await training.return();
      device.close();
      await session.dispose();
      break;
    case 'close-twice':
      await training.return();
      device.close();
      device.close();
      break;
    case 'dispose-only':
      await training.return();
      await session.dispose();
      break;
    case 'close-only':
      await training.return();
      device.close();
      break;
    case 'neither':
      await training.return();
      break;
    case 'half-way':
      break; // the generator is left where it is
    case 'close-half-way':
      device.close();
      break;
    case 'exit':
      process.exit(0);
      break;
    case 'exit-7':
      process.exit(7);
      break;
    case 'throw':
      setTimeout(() => process.exit(3), 10000).unref();
      process.on('uncaughtException', () => process.exit(5));
      throw new Error('on purpose');
    default:
      throw new Error(`no order '${order}'`);
  }
}
