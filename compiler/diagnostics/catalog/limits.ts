/** OPT5xx: Limits and constructs that this version does not compile yet. */
import type { CatalogEntry } from '../catalog.ts';

export const limitsCodes = {
  OPT500: {
    title: 'Limits and constructs that this version does not compile yet (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
  OPT510: {
    title: 'A constant table is too large',
    about:
      'Constants with many different values travel to the device with the parameters of each step, so their total is limited. Large tables belong in a data file that is loaded once.',
  },
  OPT511: {
    title: 'A tensor is too large for the device',
    about:
      'Every cell, data field or intermediate value must fit into one buffer binding of the device (128 MiB on default limits), because a kernel reaches it through one binding. Split the tensor, use a smaller batch, or run on a device with larger limits.',
  },
  OPT512: {
    title: 'A kernel needs more buffers than the device binds',
    about:
      'One fused kernel reads or writes tensors of more separate buffers (data fields, arenas of several runs) than the device binds at once. Read fewer data fields in one expression, or use a device with a larger limit.',
  },
} satisfies Record<string, CatalogEntry>;
