/**
 * The folder of a run: `log.jsonl` (one line per step or eval), `checkpoint.safetensors` (of further seeds `checkpoint-seed-N.safetensors`),
 * `summary.json`, `report.html`. A log may be longer than its checkpoint when a run was killed, so the length that belongs to each saved position is kept in
 * `positions.json`, and a resumed run cuts the log back to it.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { SaddleError, fail } from '../compiler/diagnostics/diagnostic.ts';
import type { Report } from '../runtime/session.ts';
import type { Position } from '../runtime/session-schedule.ts';

/** Lines are written to the file together once they are this long. */
const BUFFER = 1 << 16;

interface SavedPoint {
  readonly seed: number;
  readonly position: Position;
  readonly logBytes: number;
}

export class RunFolder {
  readonly path: string;
  private readonly log: number;
  private logBytes: number;
  private pending: string[] = [];
  private pendingLength = 0;
  private points: SavedPoint[];
  /** What a flush on time met; told by the next record. */
  private failure: unknown;

  private constructor(folder: string, points: SavedPoint[]) {
    this.path = folder;
    this.points = points;
    this.log = openSync(path.join(folder, 'log.jsonl'), 'a');
    this.logBytes = statSync(path.join(folder, 'log.jsonl')).size;
  }

  /** A new folder: `out`, which must hold no checkpoint, or the next free `runs/NAME-N`. Throws OPT809. */
  static create(out: string | undefined, name: string): RunFolder {
    const folder = out ?? freeFolder(name);
    try {
      mkdirSync(folder, { recursive: true });
      if (existsSync(path.join(folder, 'checkpoint.safetensors')))
        return fail('OPT809', undefined, `'${folder}' already holds a run`, {
          hint: `continue it with --resume ${folder}, or choose another folder`,
        });
      // A run that ended before its first checkpoint left nothing to go on with: its log is begun anew.
      writeFileSync(path.join(folder, 'log.jsonl'), '');
      return new RunFolder(folder, []);
    } catch (cause) {
      return unwritable(folder, cause);
    }
  }

  /** The folder of an earlier run, to go on in it. Throws OPT809. */
  static reopen(folder: string): RunFolder {
    try {
      return new RunFolder(folder, readPoints(folder));
    } catch (cause) {
      return unwritable(folder, cause);
    }
  }

  private get logFile(): string {
    return path.join(this.path, 'log.jsonl');
  }

  checkpoint(seed: number, primary: number): string {
    return path.join(this.path, seed === primary ? 'checkpoint.safetensors' : `checkpoint-seed-${seed}.safetensors`);
  }

  /** Cuts the log back to where it was when this position was saved; a position that is not known leaves it as it is. */
  rewind(seed: number, position: Position): void {
    const point = this.points.find((p) => p.seed === seed && JSON.stringify(p.position) === JSON.stringify(position));
    if (!point || point.logBytes > this.logBytes) return;
    truncateSync(path.join(this.path, 'log.jsonl'), point.logBytes);
    this.logBytes = point.logBytes;
  }

  /** One line. `several` says what tells runs, phases and seeds apart. */
  record(report: Report, several: { readonly runs: boolean; readonly phases: boolean; readonly seed?: number }): void {
    const line = {
      step: report.step,
      ...(several.seed !== undefined ? { seed: several.seed } : {}),
      ...(several.runs ? { run: report.run } : {}),
      ...(several.phases && report.phase !== '' ? { phase: report.phase } : {}),
      ...report.values,
    };
    if (this.failure !== undefined) unwritten(this.logFile, this.failure);
    const text = `${JSON.stringify(line)}\n`;
    this.pending.push(text);
    this.pendingLength += text.length;
    if (this.pendingLength > BUFFER) this.flush();
  }

  /** Writes what is pending. Throws OPT653. */
  flush(): void {
    if (this.pending.length === 0) return;
    const bytes = new TextEncoder().encode(this.pending.join(''));
    this.pending = [];
    this.pendingLength = 0;
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.log, bytes, at);
    } catch (cause) {
      unwritten(this.logFile, cause);
    }
    this.logBytes += bytes.length;
  }

  /** `flush` for a timer, which nobody could catch: the next record fails in its place. */
  flushLater(): void {
    try {
      this.flush();
    } catch (cause) {
      this.failure = cause;
    }
  }

  /** To be called before the checkpoint of this position is written, so that its log is complete whenever it exists. */
  mark(seed: number, position: Position): void {
    this.flush();
    // The last two points: the checkpoint on disk is either of this position or, after a crash in between, of the one before.
    this.points = [...this.points.slice(-1), { seed, position, logBytes: this.logBytes }];
    this.replace('positions.json', JSON.stringify(this.points));
  }

  summary(document: unknown): void {
    this.replace('summary.json', `${JSON.stringify(document, null, 2)}\n`);
  }

  report(html: string): void {
    this.replace('report.html', html);
  }

  /** Never throws: what could not be written was told before. */
  close(): void {
    this.flushLater();
    closeSync(this.log);
  }

  private replace(name: string, text: string): void {
    const target = path.join(this.path, name);
    try {
      writeFileSync(`${target}.tmp`, text);
      renameSync(`${target}.tmp`, target);
    } catch (cause) {
      unwritten(target, cause);
    }
  }
}

function readPoints(folder: string): SavedPoint[] {
  try {
    const value: unknown = JSON.parse(readFileSync(path.join(folder, 'positions.json'), 'utf8'));
    return Array.isArray(value) ? (value as SavedPoint[]) : [];
  } catch {
    return [];
  }
}

function unwritable(folder: string, cause: unknown): never {
  if (cause instanceof Error && 'diagnostics' in cause) throw cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
  return fail('OPT809', undefined, `the run folder '${folder}' cannot be written: ${code}`, {
    hint: 'choose another folder with --out',
  });
}

/** A file that can no longer be written while the run goes on: the disk is full, or the folder gone. */
function unwritten(file: string, cause: unknown): never {
  if (cause instanceof SaddleError) throw cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return fail('OPT653', undefined, `${file} could not be written: ${text}`, {
    hint: `free some space; --resume ${path.dirname(file)} goes on from the last checkpoint, if there is one`,
  });
}

/** Folders of earlier runs of this name, by number. */
function numbers(name: string): number[] {
  if (!existsSync('runs')) return [];
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return readdirSync('runs').flatMap((entry) => {
    const match = new RegExp(`^${escaped}-(\\d+)$`).exec(entry);
    return match ? [Number(match[1])] : [];
  });
}

/** The next free `runs/NAME-N`. */
export function freeFolder(name: string): string {
  return path.join('runs', `${name}-${Math.max(0, ...numbers(name)) + 1}`);
}

/** The folder that `--resume` means: the one given (or that of the checkpoint given), else that of `--out`, else the latest of this name. Throws OPT808. */
export function folderToResume(given: string | undefined, out: string | undefined, name: string): string {
  const latest = numbers(name);
  const wanted = given ?? out ?? (latest.length > 0 ? path.join('runs', `${name}-${Math.max(...latest)}`) : undefined);
  if (wanted === undefined)
    return fail('OPT808', undefined, `there is no earlier run of '${name}' under runs/`, {
      hint: 'give its folder: --resume DIR',
    });
  const folder = wanted.endsWith('.safetensors') ? path.dirname(wanted) : wanted;
  if (existsSync(path.join(folder, 'checkpoint.safetensors'))) return folder;
  return fail('OPT808', undefined, `'${folder}' holds no checkpoint.safetensors`, {
    hint: existsSync(folder)
      ? 'the run ended before its first checkpoint: start it again'
      : 'give the folder of an earlier run',
  });
}
