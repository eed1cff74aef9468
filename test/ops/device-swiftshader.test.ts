/**
 * The same on SwiftShader, the driver that comes with the packages and serves where the system has none: its built-ins differ from those of the
 * others, and its users are the least likely to look.
 */
import { test } from 'vitest';
import { swiftshaderArchive } from '../../runtime/host/swiftshader.ts';

if (process.platform === 'linux' && process.arch === 'x64' && swiftshaderArchive() !== undefined) {
  process.env.SADDLE_DEVICE = 'swiftshader';
  await import('./device.test.ts');
} else {
  test.skip('needs the optional package @sparticuz/chromium, on Linux and x64', () => undefined);
}
