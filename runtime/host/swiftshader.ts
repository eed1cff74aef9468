/**
 * SwiftShader, the software Vulkan driver that the optional npm package @sparticuz/chromium carries: unpacked once into the cache, and loaded into this
 * process before Dawn looks for a driver. So a machine without any Vulkan, and without root, still has a device.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants as osConstants } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

const packageName = '@sparticuz/chromium';
const loader = 'libvulkan.so.1';
const manifest = 'vk_swiftshader_icd.json';
const wanted: readonly string[] = [loader, 'libvk_swiftshader.so', manifest];
/** Not in Node's table of constants: keep the library for the life of the process. */
const RTLD_NODELETE = 0x1000;

/** Path of the package's archive, or undefined where the optional package is not installed or the platform has no use for it. */
export function swiftshaderArchive(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const require = createRequire(import.meta.url);
  try {
    // The package exports its module only, from which the archive is reached.
    const archive = join(dirname(require.resolve(packageName)), '..', '..', 'bin', 'swiftshader.tar.br');
    return existsSync(archive) ? archive : undefined;
  } catch {
    return undefined;
  }
}

/** Unpacks the driver below the cache folder and returns its folder. Throws where files cannot be written. */
export function unpackSwiftshader(archive: string, cache: string): string {
  const folder = join(cache, 'swiftshader');
  if (wanted.every((name) => existsSync(join(folder, name)))) return folder;
  mkdirSync(cache, { recursive: true });
  // Beside it and renamed when whole, so that two processes starting at once do not meet half a driver.
  const fresh = mkdtempSync(join(cache, 'swiftshader-'));
  try {
    for (const [name, bytes] of tarFiles(brotliDecompressSync(readFileSync(archive)))) {
      if (wanted.includes(name)) writeFileSync(join(fresh, name), bytes, { mode: 0o755 });
    }
    const missing = wanted.filter((name) => !existsSync(join(fresh, name)));
    if (missing.length > 0) throw new Error(`${archive} lacks ${missing.join(', ')}`);
    try {
      renameSync(fresh, folder);
    } catch (reason) {
      // Another process was faster; an incomplete folder of old is replaced.
      if (wanted.every((name) => existsSync(join(folder, name)))) return folder;
      rmSync(folder, { recursive: true, force: true });
      if (existsSync(folder)) throw reason;
      renameSync(fresh, folder);
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return folder;
}

/** Regular files of a ustar archive, by base name. */
function* tarFiles(tar: Buffer): Generator<[string, Buffer]> {
  for (let at = 0; at + 512 <= tar.length;) {
    const header = tar.subarray(at, at + 512);
    const name = text(header, 0, 100);
    if (name === '') return; // two empty blocks end the archive
    const size = parseInt(text(header, 124, 12), 8);
    if (!Number.isSafeInteger(size) || at + 512 + size > tar.length) throw new Error('the archive is cut short');
    const type = text(header, 156, 1);
    if (type === '' || type === '0') yield [name.split('/').pop() as string, tar.subarray(at + 512, at + 512 + size)];
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

function text(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString('latin1', start, end < 0 ? start + length : Math.min(end, start + length)).trim();
}

/** Loads the Vulkan loader of the folder into this process, where Dawn's own search by name then finds it. */
export function preloadLoader(folder: string): void {
  const { RTLD_NOW, RTLD_GLOBAL } = osConstants.dlopen;
  try {
    process.dlopen({ exports: {} }, join(folder, loader), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  } catch (reason) {
    // It is no Node addon, and Node says so after it has loaded it: this message is the success.
    if (!(reason instanceof Error) || !/self-register/.test(reason.message)) throw reason;
  }
}

/** Path of the driver's description, for VK_DRIVER_FILES. */
export function swiftshaderManifest(folder: string): string {
  return join(folder, manifest);
}
