/** OPT9xx: Our own bugs. */
import type { CatalogEntry } from '../catalog.ts';

export const internalCodes = {
  OPT900: {
    title: 'a bug of Saddle',
    about:
      'An invariant of the compiler or the runtime was broken, which no spec, however wrong, may bring about. A report file with the call, the specs named in it and the stack is written and named; please file it as an issue. SADDLE_DEBUG=1 shows the stack. The exit code is 70.',
  },
} satisfies Record<string, CatalogEntry>;
