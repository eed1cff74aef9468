/**
 * The catalogue of diagnostic codes: one entry per code, grouped by hundreds, each group in a file of its own.
 * `saddle explain CODE` prints an entry; `test/cases` has at least one case per code and a test fails where one is missing.
 */
import { callCodes } from './catalog/call.ts';
import { dataCodes } from './catalog/data.ts';
import { deviceCodes } from './catalog/device.ts';
import { flowCodes } from './catalog/flow.ts';
import { internalCodes } from './catalog/internal.ts';
import { limitsCodes } from './catalog/limits.ts';
import { namesCodes } from './catalog/names.ts';
import { problemCodes } from './catalog/problems.ts';
import { syntaxCodes } from './catalog/syntax.ts';
import { typesCodes } from './catalog/types.ts';

export interface CatalogEntry {
  /** A short noun phrase: "unknown name". */
  readonly title: string;
  /** A paragraph: what the rule is and why it exists. */
  readonly about: string;
  /** A small wrong example and its mend, as `.opt` text; optional. */
  readonly example?: { readonly wrong: string; readonly right: string };
}

export const catalog = {
  ...syntaxCodes,
  ...namesCodes,
  ...typesCodes,
  ...flowCodes,
  ...problemCodes,
  ...limitsCodes,
  ...dataCodes,
  ...deviceCodes,
  ...callCodes,
  ...internalCodes,
} as const;

export type DiagnosticCode = keyof typeof catalog;

/** Entry of a code given as text (from the command line), or undefined. */
export function catalogEntry(code: string): CatalogEntry | undefined {
  return Object.hasOwn(catalog, code) ? catalog[code as DiagnosticCode] : undefined;
}
