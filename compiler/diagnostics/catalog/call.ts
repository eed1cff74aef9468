/** OPT8xx: The command line and the session API. */
import type { CatalogEntry } from '../catalog.ts';

export const callCodes = {
  OPT800: {
    title: 'The command line and the session API (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
  OPT850: {
    title: 'unknown name in a session call',
    about:
      'A session was asked for a model, a cell or an exported function that the program does not have. Models go by their name, with the run before it where the file has runs (`dann.Features`); cells by their id, as `saddle explain FILE --stage plan` lists them.',
  },
  OPT851: {
    title: 'unknown or unusable hyper',
    about:
      'A hyper was given a value from outside, and the program has no hyper of that name, or the value is no finite number. Only names declared with `hyper` can be set when a program runs; a `dim` is set when it is compiled.',
  },
  OPT852: {
    title: 'wrong argument of a session call',
    about:
      'A value handed to the session API has the wrong length or kind. Tensors are flat, row-major arrays of as many numbers as the declared shape says.',
  },
} satisfies Record<string, CatalogEntry>;
