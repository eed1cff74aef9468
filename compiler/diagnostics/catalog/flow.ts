/** OPT4xx: Owners, directions, versions, gradients. */
import type { CatalogEntry } from '../catalog.ts';

export const flowCodes = {
  OPT400: {
    title: 'Owners, directions, versions, gradients (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
} satisfies Record<string, CatalogEntry>;
