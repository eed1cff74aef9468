/**
 * Finds a device in Node, through Dawn (npm `webgpu`). In order: a hardware adapter; the system's software Vulkan driver (Mesa lavapipe); SwiftShader from
 * the optional package @sparticuz/chromium; else one error that says what is missing and how to mend it. Dawn's null backend, which computes garbage, is
 * refused. Nothing is written to standard output; of what native code writes to standard error only what explains something is shown.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SaddleError, error, fail } from '../../compiler/diagnostics/diagnostic.ts';
import { type OpenDevice, deviceInfo, openAdapter } from '../device/device.ts';
import { isSoftware } from '../device/profile.ts';
import { type Cause, explainImport, explainStderr, installLavapipe } from './failures.ts';
import { listen, withoutNoise } from './quiet.ts';
import { type DeviceChoice, readSettings } from './settings.ts';
import { preloadLoader, swiftshaderArchive, swiftshaderManifest, unpackSwiftshader } from './swiftshader.ts';
import { defaultLimitMs, waitWithin } from './wait.ts';

export type Dawn = { create(options: string[]): GPU };

/** One way of getting an adapter, and what came of it; `doctor` shows them all. */
export interface Attempt {
  readonly way: 'system' | 'swiftshader';
  readonly outcome: string;
  readonly cause?: Cause;
}

export interface DeviceSearch {
  readonly device: OpenDevice;
  readonly adapter: GPUAdapter;
  readonly attempts: readonly Attempt[];
}

export interface SearchOptions {
  /** Longest wait for one answer of the device, in milliseconds. */
  readonly limitMs?: number;
}

/** An adapter with the Dawn instance that must outlive it. */
interface Found {
  readonly adapter: GPUAdapter;
  readonly instance: GPU;
}

/** Opens the device of a choice (default: SADDLE_DEVICE). Throws SaddleError OPT701 where there is none, OPT702 for `reference`, which has none. */
export async function openDevice(
  choice: DeviceChoice = readSettings().device,
  options: SearchOptions = {},
): Promise<OpenDevice> {
  return (await searchDevice(choice, options)).device;
}

/** As `openDevice`, and tells what was tried. */
export async function searchDevice(choice: DeviceChoice, options: SearchOptions = {}): Promise<DeviceSearch> {
  if (choice === 'reference') fail('OPT702', undefined, "'reference' is the float64 interpreter: it needs no device");
  const attempts: Attempt[] = [];
  const found = await find(choice, attempts);
  if (!found) throw noDevice(choice, attempts);
  const device = await openAdapter(found.adapter, [found.instance], waitWithin(options.limitMs ?? defaultLimitMs));
  return { device, adapter: found.adapter, attempts };
}

async function find(choice: DeviceChoice, attempts: Attempt[]): Promise<Found | undefined> {
  let dawn: Dawn;
  try {
    dawn = (await import('webgpu')) as unknown as Dawn;
  } catch (reason) {
    const cause = explainImport(reason instanceof Error ? reason.message : String(reason));
    attempts.push({ way: 'system', outcome: cause.found, cause });
    return undefined;
  }
  if (choice !== 'swiftshader') {
    const found = await trySystem(dawn, choice, attempts);
    if (found || choice === 'hardware' || choice === 'lavapipe') return found;
  }
  return trySwiftshader(dawn, attempts);
}

async function trySystem(dawn: Dawn, choice: DeviceChoice, attempts: Attempt[]): Promise<Found | undefined> {
  const wanted = choice === 'lavapipe' ? ['adapter=llvmpipe'] : [];
  const { found, text } = await request(dawn, wanted);
  if (!found) {
    const cause = systemCause(text ?? probe());
    attempts.push({ way: 'system', outcome: cause.found, cause });
    return undefined;
  }
  const { info } = found.adapter;
  const name = `${info.device} (${info.description})`;
  if (choice === 'hardware' && isSoftware(info)) {
    attempts.push({
      way: 'system',
      outcome: `${name} is a software driver`,
      cause: { found: `only a software driver was found: ${name}`, fix: 'use --device auto, which takes it' },
    });
    return undefined;
  }
  attempts.push({ way: 'system', outcome: name });
  return found;
}

function systemCause(text: string): Cause {
  const cause = explainStderr(text, installLavapipe(osRelease()));
  const variable = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'].find((name) => process.env[name]);
  if (!variable || !/no driver|does not exist/.test(cause.found)) return cause;
  return {
    found: `${variable} is set to '${process.env[variable]}', where no Vulkan driver was found`,
    fix: `unset ${variable}, or correct it`,
  };
}

async function trySwiftshader(dawn: Dawn, attempts: Attempt[]): Promise<Found | undefined> {
  const refuse = (found: string, fix: string): undefined => {
    attempts.push({ way: 'swiftshader', outcome: found, cause: { found, fix } });
  };
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return refuse('SwiftShader is carried for Linux on x64 only', 'use a hardware adapter, or --device reference');
  const archive = swiftshaderArchive();
  if (!archive)
    return refuse(
      'the optional package @sparticuz/chromium (with SwiftShader) is not installed',
      'run: npm ci --include=optional',
    );
  const before = { files: process.env.VK_DRIVER_FILES, names: process.env.VK_ICD_FILENAMES };
  let unpacked: Unpacked | undefined;
  try {
    unpacked = unpackSomewhere(archive);
    preloadLoader(unpacked.folder);
    // The loader reads these when Dawn creates its Vulkan instance, and only then. The older name serves older loaders.
    process.env.VK_DRIVER_FILES = process.env.VK_ICD_FILENAMES = swiftshaderManifest(unpacked.folder);
    const { found, text } = await request(dawn, []);
    if (!found)
      return refuse(
        `SwiftShader did not start: ${text?.split('\n')[0] || 'no reason given'}`,
        'run: npm ci --include=optional',
      );
    attempts.push({ way: 'swiftshader', outcome: found.adapter.info.description });
    return found;
  } catch (reason) {
    const message = reason instanceof Error ? reason.message : String(reason);
    return refuse(`SwiftShader could not be unpacked: ${message}`, 'set SADDLE_CACHE to a folder that can be written');
  } finally {
    // Loaded libraries stay in the process when their files are gone.
    if (unpacked?.temporary) rmSync(dirname(unpacked.folder), { recursive: true, force: true });
    restoreEnv('VK_DRIVER_FILES', before.files);
    restoreEnv('VK_ICD_FILENAMES', before.names);
  }
}

interface Unpacked {
  readonly folder: string;
  /** Not in the cache: removed once the driver is loaded. */
  readonly temporary: boolean;
}

/** In the cache, or where that cannot be written in a fresh folder of our own (never one with a name that others could have made before us). */
function unpackSomewhere(archive: string): Unpacked {
  try {
    return { folder: unpackSwiftshader(archive, readSettings().cache), temporary: false };
  } catch (reason) {
    if (process.env.SADDLE_CACHE) throw reason; // asked for: say that it does not work
    return { folder: unpackSwiftshader(archive, mkdtempSync(join(tmpdir(), 'saddle-'))), temporary: true };
  }
}

function restoreEnv(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

/** Asks Dawn for an adapter; its null backend is none. `text` is what native code wrote, or undefined where it could not be kept from the terminal. */
export async function request(
  dawn: Dawn,
  options: string[],
): Promise<{ found: Found | undefined; text: string | undefined }> {
  const { value, text } = await listen(async () => {
    try {
      const instance = dawn.create(options);
      const adapter = await waitWithin(defaultLimitMs)(
        instance.requestAdapter({ powerPreference: 'high-performance' }),
      );
      return adapter ? { adapter, instance } : undefined;
    } catch {
      // A named adapter that is not there: Dawn throws where others are and answers null where none is.
      return undefined;
    }
  });
  const found = value && !isNull(value.adapter.info) ? value : undefined;
  if (text && (found || readSettings().debug > 0)) {
    const rest = readSettings().debug > 0 ? text : withoutNoise(text);
    if (rest) process.stderr.write(rest);
  }
  return { found, text };
}

/** Dawn's null backend: an adapter that accepts everything and computes nothing. */
function isNull(info: GPUAdapterInfo): boolean {
  return (
    /null-backend|null backend/i.test(`${info.device} ${info.description}`) ||
    (!info.device && !info.description && !info.vendor)
  );
}

/** What a search writes to standard error, in a child process: for where it could not be heard in this one. */
function probe(): string {
  const script =
    'const { create } = await import(process.argv[1]); const g = create([]); const a = await g.requestAdapter(); process.exit(a ? 0 : 1)';
  const module = pathToFileURL(createRequire(import.meta.url).resolve('webgpu')).href;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, module], {
    encoding: 'utf8',
    timeout: 30000,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return child.stderr ?? '';
}

function osRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}

function noDevice(choice: DeviceChoice, attempts: readonly Attempt[]): SaddleError {
  const causes = attempts.flatMap((a) => (a.cause ? [a.cause] : []));
  const [first] = causes;
  const wanted =
    choice === 'auto' || choice === 'gpu' ? 'no WebGPU device was found' : `no device for '${choice}' was found`;
  return new SaddleError(
    error('OPT701', undefined, `${wanted}: ${first?.found ?? 'nothing was offered'}`, {
      notes: causes.slice(1).map((c) => `${c.found}; ${c.fix}`),
      hint: `${first?.fix ?? 'run: npm ci'}; 'saddle doctor' shows all that was tried, '--device reference' runs without a device`,
    }),
  );
}

/** For display: name and driver of an adapter. */
export function describeAdapter(adapter: GPUAdapter): string {
  const info = deviceInfo(adapter.info);
  return `${info.name} (${info.class}, ${info.driver})`;
}
