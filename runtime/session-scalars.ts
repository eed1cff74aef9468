/** The scalars of one execution (seed, step, progress, hypers), as host programs read them. Hypers are evaluated when first asked. */
import type { Bundle } from '../compiler/bundle/format.ts';
import { type Scalars, evaluateHost } from '../compiler/bundle/host-program.ts';
import { InternalError, fail } from '../compiler/diagnostics/diagnostic.ts';
import { didYouMean } from '../compiler/diagnostics/suggest.ts';

/** Values of hypers given from outside, which take the place of their expressions. */
export type HyperOverrides = ReadonlyMap<string, number>;

/** Checks names and values. Throws SaddleError OPT851. */
export function hyperOverrides(bundle: Bundle, given: Readonly<Record<string, number>>): HyperOverrides {
  const names = bundle.hypers.map((h) => h.name);
  const overrides = new Map<string, number>();
  for (const [name, value] of Object.entries(given)) {
    if (!names.includes(name))
      fail('OPT851', undefined, `the program has no hyper '${name}'`, {
        hint: didYouMean(name, names) ?? (names.length > 0 ? `it has ${names.join(', ')}` : 'it has none'),
      });
    if (!Number.isFinite(value)) fail('OPT851', undefined, `hyper '${name}' must be a finite number, not ${value}`);
    overrides.set(name, value);
  }
  return overrides;
}

/** Scalars at step `step` of `steps`. */
export function scalarsAt(
  bundle: Bundle,
  overrides: HyperOverrides,
  seed: number,
  step: number,
  steps: number,
): Scalars {
  const known = new Map<string, number>(overrides);
  const scalars: Scalars = {
    seed,
    step,
    steps,
    hyper(name) {
      let value = known.get(name);
      if (value === undefined) {
        const program = bundle.hypers.find((h) => h.name === name)?.program;
        if (!program) throw new InternalError(`the bundle has no hyper '${name}'`);
        // The value of a program is that of its last instruction.
        value = evaluateHost(program, scalars)[program.instructions.length - 1][0];
        known.set(name, value);
      }
      return value;
    },
  };
  return scalars;
}
