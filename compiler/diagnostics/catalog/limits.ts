/** OPT5xx: Limits and constructs that this version does not compile yet. */
import type { CatalogEntry } from '../catalog.ts';

export const limitsCodes = {
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
  OPT501: {
    title: 'program too large',
    about:
      'A static for is unrolled, as is a repeat of a few turns or one whose body needs its index when compiling, and templates are inlined; the graph of a run is limited so that compilation stays quick. Use fewer turns, use the index as a value, or let train do the looping.',
  },
  OPT502: {
    title: 'not compiled yet',
    about: 'The construct is part of the language, and its text is checked, but this version cannot compile it yet.',
  },
  OPT503: {
    title: 'tensor too large',
    about: 'A single value has more elements than can be addressed. Split the computation or use a smaller batch.',
  },
  OPT505: {
    title: 'endless template',
    about: 'A template is evaluated inside itself. Templates are inlined, so they cannot be recursive; use repeat.',
  },
  OPT506: {
    title: 'size of data needed',
    about:
      'A static loop or too many unknown sizes depend on data that are not there. Checking works with symbolic sizes where it can; here the number itself is needed.',
  },
  OPT507: {
    title: 'sort too long',
    about:
      'Sorts are exact, stable and the same on every device; a long one is some twenty passes over the data. Beyond a length that would take a device many seconds, so it is refused before anything runs.',
  },
  OPT508: {
    title: 'program too large for memory',
    about:
      'The cells (parameters, variables, states of rules) and the data of all runs of a program lie in memory together. Their sizes are known before anything runs; beyond the limit the program is refused, with its largest part named.',
  },
} satisfies Record<string, CatalogEntry>;
