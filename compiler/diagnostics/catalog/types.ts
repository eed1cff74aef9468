/** OPT3xx: Types, shapes, dims. */
import type { CatalogEntry } from '../catalog.ts';

export const typesCodes = {
  OPT300: {
    title: 'Types, shapes, dims (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
} satisfies Record<string, CatalogEntry>;
