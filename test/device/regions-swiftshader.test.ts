/** The same on SwiftShader: another compiler of WGSL and another reading of what memory is shared. */
import { test } from 'vitest';
import { swiftshaderArchive } from '../../runtime/host/swiftshader.ts';

if (process.platform === 'linux' && process.arch === 'x64' && swiftshaderArchive() !== undefined) {
  process.env.SADDLE_DEVICE = 'swiftshader';
  await import('./regions.test.ts');
} else {
  test.skip('needs the optional package @sparticuz/chromium, on Linux and x64', () => undefined);
}
