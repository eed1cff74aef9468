/** The JSON part of a checkpoint, read with suspicion: anything of another form gives undefined. */
import type { RunStatus } from '../session-results.ts';
import type { Position } from '../session-schedule.ts';

export interface SavedState {
  readonly seed: number;
  readonly steps: number | null;
  readonly hypers: readonly (readonly [string, number])[];
  readonly position: Position;
  readonly runs: readonly { readonly name: string; readonly steps: number; readonly status: RunStatus }[];
  readonly series: readonly { readonly run: string; readonly name: string }[];
  /** "kind run/name" of every phase. */
  readonly phases: readonly string[];
}

type Json = Record<string, unknown>;

const isRecord = (v: unknown): v is Json => typeof v === 'object' && v !== null && !Array.isArray(v);
const isCount = (v: unknown): v is number => typeof v === 'number' && Number.isSafeInteger(v) && v >= 0;
const isText = (v: unknown): v is string => typeof v === 'string';
const isBool = (v: unknown): v is boolean => typeof v === 'boolean';
const isListOf = (v: unknown, test: (item: unknown) => boolean): boolean => Array.isArray(v) && v.every(test);

function isPosition(v: unknown): boolean {
  return isRecord(v) && isCount(v.phase) && isCount(v.step) && isCount(v.evals) && isBool(v.tested) && isBool(v.ended);
}

function isStatus(v: unknown): boolean {
  if (!isRecord(v)) return false;
  return v.state === 'pending' || v.state === 'ok' || (v.state === 'failed' && isText(v.reason));
}

/** The state, or undefined where the text is not one. */
export function parseState(text: string): SavedState | undefined {
  let v: unknown;
  try {
    v = JSON.parse(text);
  } catch {
    return undefined;
  }
  const legal =
    isRecord(v) &&
    isCount(v.seed) &&
    v.seed <= 0xffffffff &&
    (v.steps === null || isCount(v.steps)) &&
    isListOf(v.hypers, (h) => Array.isArray(h) && h.length === 2 && isText(h[0]) && Number.isFinite(h[1])) &&
    isPosition(v.position) &&
    isListOf(v.runs, (r) => isRecord(r) && isText(r.name) && isCount(r.steps) && isStatus(r.status)) &&
    isListOf(v.series, (s) => isRecord(s) && isText(s.run) && isText(s.name)) &&
    isListOf(v.phases, isText);
  return legal ? (v as unknown as SavedState) : undefined;
}
