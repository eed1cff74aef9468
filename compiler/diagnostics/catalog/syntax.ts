/** OPT1xx: Syntax. */
import type { CatalogEntry } from '../catalog.ts';

export const syntaxCodes = {
  OPT100: {
    title: 'Syntax (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
} satisfies Record<string, CatalogEntry>;
