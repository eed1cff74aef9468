/**
 * Zachary's karate club: 34 members, 78 friendships, and the two clubs into which it split (W. W. Zachary, An information flow model for conflict and fission
 * in small groups, Journal of Anthropological Research 33, 1977, figures 1 and 3; members are numbered from 0).
 */
import type { NamedSet } from './named.ts';
import type { RawArray } from './table.ts';

const MEMBERS = 34;
/** Friends of each member with a higher number. */
const FRIENDS: readonly (readonly number[])[] = [
  [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31],
  [2, 3, 7, 13, 17, 19, 21, 30],
  [3, 7, 8, 9, 13, 27, 28, 32],
  [7, 12, 13],
  [6, 10],
  [6, 10, 16],
  [16],
  [],
  [30, 32, 33],
  [33],
  [],
  [],
  [],
  [33],
  [32, 33],
  [32, 33],
  [],
  [],
  [32, 33],
  [33],
  [32, 33],
  [],
  [32, 33],
  [25, 27, 29, 32, 33],
  [25, 27, 31],
  [31],
  [29, 33],
  [33],
  [31, 33],
  [32, 33],
  [32, 33],
  [32, 33],
  [33],
  [],
];
/** Members who stayed with the instructor (0); the others followed the officers (1). */
const INSTRUCTOR = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 19, 21];

export const karate: NamedSet = {
  about:
    'Zachary’s karate club, x: f32[*, 34] in 0..2 (who is a friend of whom), y: i32[*] in 0..2 (the club after the split); 34 rows',
  splits: [''],
  open: async (name) => {
    const adjacency = new Uint8Array(MEMBERS * MEMBERS);
    FRIENDS.forEach((others, a) => {
      for (const b of others) adjacency[a * MEMBERS + b] = adjacency[b * MEMBERS + a] = 1;
    });
    const clubs = Int32Array.from({ length: MEMBERS }, (_, i) => (INSTRUCTOR.includes(i) ? 0 : 1));
    const x: RawArray = {
      name: 'x',
      numbers: 'byte',
      shape: [MEMBERS, MEMBERS],
      scale: 1,
      read: async (from, to) => adjacency.slice(from * MEMBERS, to * MEMBERS),
    };
    const y: RawArray = {
      name: 'y',
      numbers: 'integer',
      shape: [MEMBERS],
      scale: 1,
      read: async (from, to) => clubs.slice(from, to),
    };
    return { file: name, rows: MEMBERS, arrays: [x, y], anonymous: false };
  },
};
