/** OPT8xx: The command line and the session API. */
import type { CatalogEntry } from '../catalog.ts';

export const callCodes = {
  OPT800: {
    title: 'The command line and the session API (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
} satisfies Record<string, CatalogEntry>;
