/** What a module made by `saddle build` carries with it: sessions, and a device of a page or of any WebGPU adapter. One file, nothing of Node. */
export { openAdapter } from './device/device.ts';
export { openPageDevice } from './host/browser.ts';
export { load } from './session.ts';
