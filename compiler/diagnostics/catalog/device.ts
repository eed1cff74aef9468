/** OPT7xx: Devices, drivers and what happens while a program runs. */
import type { CatalogEntry } from '../catalog.ts';

export const deviceCodes = {
  OPT700: {
    title: 'Devices, drivers and what happens while a program runs (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
} satisfies Record<string, CatalogEntry>;
