/** The only maker of WGSL identifiers. They come from numbers, never from source text: `[a-z][a-z0-9_]*`. Helper functions of the op table start with `sd_`. */
export const names = {
  value: (id: number): string => `v${id}`,
  index: (id: number): string => `i${id}`,
  /** Next value of a carried one, before all are replaced together. */
  next: (id: number): string => `n${id}`,
  binding: (k: number): string => `b${k}`,
  workgroup: 'wg',
  local: 'li',
  groupNumber: 'gn',
  /** The workgroup's z: always 0, which drivers do not know. */
  zero: 'oz',
  /** Turn of a loop around stages, by its number, and the flag as all invocations see it. */
  turn: (loop: number): string => `tn${loop}`,
  flag: 'wf',
  /** Where a sequence in several launches stands, and what is left of the work of this one. */
  at: 'at',
  left: 'lw',
  /** Which of many executions, how many there are, and the first element of its slot in a ring. */
  execution: 'en',
  workgroups: 'nw',
  slot: (k: number): string => `s${k}`,
  entryPoint: 'main',
} as const;
