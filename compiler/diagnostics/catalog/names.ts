/** OPT2xx: Names, imports, placement. */
import type { CatalogEntry } from '../catalog.ts';

export const namesCodes = {
  OPT200: {
    title: 'Names, imports, placement (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
} satisfies Record<string, CatalogEntry>;
