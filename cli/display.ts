/** What a run prints: its head line, the progress of each seed, results and claims. With `--json` all of it goes to standard error. */
import { ledgerLines } from '../runtime/report/ledger.ts';
import type { DeviceInfo } from '../runtime/backend.ts';
import type { Executed } from './execute.ts';
import { Progress } from './progress.ts';
import { claimLine, resultLines, type RunDocument } from './summary.ts';
import { coloursFor, note, print, writeAll } from './terminal.ts';

export interface DisplayOptions {
  readonly json?: boolean;
  /** No progress and no results; claims that fail are still shown. */
  readonly quiet?: boolean;
}

export class Display {
  progress: Progress | undefined;
  private readonly options: DisplayOptions;
  private readonly stream: NodeJS.WriteStream;
  private readonly about: { readonly seeds: readonly number[] };

  constructor(
    options: DisplayOptions,
    device: DeviceInfo,
    about: { readonly name: string; readonly seeds: readonly number[] },
  ) {
    this.options = options;
    this.stream = options.json ? process.stderr : process.stdout;
    this.about = about;
    const seeds = about.seeds.length === 1 ? `seed ${about.seeds[0]}` : `seeds ${about.seeds.join(', ')}`;
    if (!options.quiet) this.line(`${about.name} on ${device.name} (${device.class}), ${seeds}`);
  }

  private line(text: string): void {
    if (this.options.json) note(text);
    else print(text);
  }

  /** A new seed begins, `done` of its `total` steps having been taken before. */
  start(total: number, done: number, seed: number): void {
    this.end();
    if (this.options.quiet) return;
    if (this.about.seeds.length > 1) this.line(`seed ${seed}`);
    this.progress = new Progress({
      write: (text) => writeAll(this.options.json ? 2 : 1, text),
      live: this.stream.isTTY === true && process.env.TERM !== 'dumb',
      colours: coloursFor(this.stream),
      width: () => this.stream.columns ?? 100,
      total,
      done,
      now: () => performance.now(),
    });
  }

  end(): void {
    this.progress?.finish();
    this.progress = undefined;
  }

  results(executed: Executed, seed: number, document: RunDocument): void {
    const c = coloursFor(this.stream);
    if (!this.options.quiet) for (const line of resultLines(executed, seed, c)) this.line(line);
    for (const ledger of document.solves ?? [])
      if (!this.options.quiet || ledger.notes.length > 0)
        for (const line of ledgerLines(ledger)) this.line(`  ${line}`);
    for (const claim of document.expects ?? []) if (!this.options.quiet || !claim.pass) this.line(claimLine(claim, c));
    if (!this.options.quiet && document.out) this.line(`written to ${document.out}`);
  }
}
