/** The specs of `test/cases/sentences/`, with what their comments say of them. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export const folder = join(import.meta.dirname, 'sentences');

export interface SentenceCase {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  /** `// expect-error: OPT410 @ 7:3`: the compiler refuses it so. */
  readonly refused?: string;
  /** `// expect-fault: OPT708 @ 4:12`: the run ends so. */
  readonly fault?: string;
}

/** All cases, in order. */
export function readCases(): SentenceCase[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.opt'))
    .toSorted()
    .map((name) => {
      const file = join(folder, name);
      const text = readFileSync(file, 'utf8');
      const mark = (word: string) => new RegExp(`^// ${word}: (.+)$`, 'm').exec(text)?.[1];
      return {
        name: name.replace(/\.opt$/, ''),
        file,
        text,
        refused: mark('expect-error'),
        fault: mark('expect-fault'),
      };
    });
}

/** What each claim of a text must come out as: it holds, unless a comment behind it says otherwise. */
export function claimsOf(text: string): boolean[] {
  return [...text.matchAll(/^\s*expect .*$/gm)].map(([line]) => !line.endsWith('// does not hold'));
}
