/** OPT5xx: Limits and constructs that this version does not compile yet. */
import type { CatalogEntry } from '../catalog.ts';

export const limitsCodes = {
  OPT500: {
    title: 'Limits and constructs that this version does not compile yet (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
} satisfies Record<string, CatalogEntry>;
