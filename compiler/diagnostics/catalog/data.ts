/** OPT6xx: Data files and checkpoints. */
import type { CatalogEntry } from '../catalog.ts';

export const dataCodes = {
  OPT600: {
    title: 'Data files and checkpoints (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
} satisfies Record<string, CatalogEntry>;
