/** OPT9xx: Our own bugs. */
import type { CatalogEntry } from '../catalog.ts';

export const internalCodes = {
  OPT900: {
    title: 'Our own bugs (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
} satisfies Record<string, CatalogEntry>;
