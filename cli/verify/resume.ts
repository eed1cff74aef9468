/** `--resume`: N steps in one go, and k steps, a checkpoint, another session, and N - k steps, end in the same bits. */
import type { Bundle } from '../../compiler/bundle/format.ts';
import { error } from '../../compiler/diagnostics/diagnostic.ts';
import type { NumberArray } from '../../runtime/backend.ts';
import type { Results } from '../../runtime/session-results.ts';
import type { Session } from '../../runtime/session.ts';
import { sameBits, type Check } from './checks.ts';

/** Starts a session from the beginning, or from the bytes of a checkpoint. */
export type Start = (resume?: Uint8Array) => Promise<Session>;

interface Ending {
  readonly cells: ReadonlyMap<string, NumberArray>;
  readonly results: Results;
}

export async function verifyResume(bundle: Bundle, start: Start): Promise<Check> {
  const straight = await start();
  const total = straight.totalSteps;
  const k = Math.ceil(total / 2);
  const expected = await ending(bundle, straight);
  const first = await start();
  await drain(first, k);
  const saved = await first.save();
  await first.dispose();
  const found = await ending(bundle, await start(saved));
  const different = differences(expected, found);
  const how = `${total} steps, and ${k} + save + load + ${total - k}`;
  if (different.length === 0)
    return {
      ok: true,
      lines: [`${how}: ${expected.cells.size} cells and all series are the same, bit for bit`],
      details: { ok: true, steps: total, split: k, cells: expected.cells.size },
      diagnostics: [],
    };
  return {
    ok: false,
    lines: [],
    details: { ok: false, steps: total, split: k, cells: expected.cells.size, different },
    diagnostics: [
      error('OPT713', undefined, `${how} do not end in the same bits: ${different.slice(0, 3).join(', ')} differ`, {
        hint: 'run `saddle verify --resume --device reference`: where that agrees, the driver does not compute the same twice',
      }),
    ],
  };
}

async function ending(bundle: Bundle, session: Session): Promise<Ending> {
  await drain(session);
  const cells = await session.backend.readCells(bundle.cells.map((c) => c.id));
  const { results } = session;
  await session.dispose();
  return { cells, results };
}

async function drain(session: Session, steps?: number): Promise<void> {
  for await (const report of session.train({ steps })) void report;
}

/** Names of the cells and series that are not the same. */
function differences(a: Ending, b: Ending): string[] {
  const cells = [...a.cells].filter(([id, values]) => !sameBits(values, b.cells.get(id) as NumberArray));
  const series = [...a.results.runs].flatMap(([run, { series: named }]) =>
    [...named].flatMap(([name, { values }]) => {
      const other = b.results.runs.get(run)?.series.get(name)?.values ?? [];
      const same = values.length === other.length && values.every((v, i) => Object.is(v, other[i]));
      return same ? [] : [`the series '${run === '' ? name : `${run}.${name}`}'`];
    }),
  );
  return [...cells.map(([id]) => `cell '${id}'`), ...series];
}
