/** A device in a page (or a worker), from its `navigator.gpu`. */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import { type OpenDevice, openAdapter } from '../device/device.ts';

/**
 * Opens the device of a page: `openPageDevice(navigator.gpu)`. Throws SaddleError OPT701 where the browser has no WebGPU or no adapter.
 * A page's promises settle by themselves, so nothing special is done to wait for them.
 */
export async function openPageDevice(gpu: GPU | undefined): Promise<OpenDevice> {
  if (!gpu)
    fail('OPT701', undefined, 'this browser has no WebGPU', {
      hint: 'use a current Chrome, Edge, Firefox or Safari, over https or on localhost',
    });
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter)
    fail('OPT701', undefined, 'the browser offers no WebGPU adapter', {
      hint: "the browser's page about:gpu or about:support says why; in Chrome hardware acceleration must be on",
    });
  return openAdapter(adapter, [gpu], (promise) => promise);
}
