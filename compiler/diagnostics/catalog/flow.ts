/** OPT4xx: Owners, directions, versions, gradients. */
import type { CatalogEntry } from '../catalog.ts';

export const flowCodes = {
  OPT400: {
    title: 'Owners, directions, versions, gradients (unclassified)',
    about: 'Fallback of this group; every message should have a code of its own.',
  },
  OPT401: {
    title: 'derivative through a write',
    about:
      'A derivative was asked that would have to pass a `<-` or `update`: the value depends on a cell before it was written, and the objective on it afterwards. Saddle does not differentiate through writes, because which of the steps should count would be a guess. Write the steps as a `scan`, whose derivative goes through all of them; call the rule purely (`adam.step`) to differentiate through one update; or `stop` the value to say that it counts as a constant.',
    example: {
      wrong: 'w <- w - lr * grad(L(w), w)\nlet meta = grad(L(w), lr)',
      right: 'let v = w - lr * grad(L(w), w)\nlet meta = grad(L(w) at { w: v }, lr)',
    },
  },
} satisfies Record<string, CatalogEntry>;
