/**
 * The fenced blocks of a page, as files in a folder of their own: `opt` runs, `opt error CODE` is refused, `opt fault CODE` ends its run, `opt later CODE` may still
 * be refused as not compiled yet; `opt file NAME` and `csv NAME` are files that the others read, and `output` is what the example above it prints.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Example {
  /** Section and line of the page. */
  readonly title: string;
  readonly file: string;
  readonly text: string;
  readonly kind: 'run' | 'error' | 'fault';
  readonly code?: string;
  /** What its results are said to be, one line for each: `name  value value …`. */
  readonly output?: string;
}

const fence = /^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm;

/** Writes the blocks of a page to a folder and describes them, in order. */
export function examplesOf(page: string): { readonly folder: string; readonly examples: readonly Example[] } {
  const text = readFileSync(page, 'utf8');
  const folder = mkdtempSync(join(tmpdir(), 'saddle-page-'));
  const examples: Example[] = [];
  for (const match of text.matchAll(fence)) {
    const [, language, rest, body] = match;
    const words = rest.trim().split(/\s+/);
    const before = text.slice(0, match.index);
    const line = before.split('\n').length;
    const section = /^## (.*)$/m.exec(before.slice(before.lastIndexOf('\n## ') + 1))?.[1] ?? '';
    if (language === 'output') {
      const last = examples.pop();
      if (last) examples.push({ ...last, output: body });
    } else if (words[0] === 'file' || (language === 'csv' && words[0])) {
      writeFileSync(join(folder, words.at(-1) as string), body);
    } else if (language === 'opt') {
      const file = join(folder, `line${line}.opt`);
      writeFileSync(file, body);
      const kind = words[0] === 'error' || words[0] === 'fault' ? words[0] : 'run';
      examples.push({ title: `${section}, line ${line}`, file, text: body, kind, code: words[1] });
    }
  }
  return { folder, examples };
}

/** A number as the output blocks of a page write it. */
export function written(value: number): string {
  return String(Number(value.toPrecision(5)));
}
