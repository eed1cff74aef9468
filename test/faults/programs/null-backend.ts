/** Asks for Dawn's null backend, of Dawn itself and as the search does, and prints what either gives. */
import { type Dawn, request } from '../../../runtime/host/driver.ts';

const dawn = (await import('webgpu')) as unknown as Dawn;
const adapter = await dawn.create(['backend=null']).requestAdapter();
const { found } = await request(dawn, ['backend=null']);
const { found: real } = await request(dawn, []);
console.log(JSON.stringify({ dawn: adapter !== null, search: found !== undefined, real: real !== undefined }));
process.exit(0);
