/** Saves checkpoints of growing step over and over at the path given, and says which are saved. To be killed at any moment. */
import { writeCheckpoint } from '../../../runtime/checkpoint/checkpoint.ts';
import { saveCheckpoint } from '../../../runtime/checkpoint/node-store.ts';
import { ResultStore } from '../../../runtime/session-results.ts';
import { bigBundle } from '../big-bundle.ts';

const bundle = bigBundle();
const path = process.argv[2];
for (let step = 0; ; step++) {
  const bytes = await writeCheckpoint(bundle, {
    seed: 1,
    steps: undefined,
    hypers: new Map(),
    position: { phase: 1, step, evals: 0, tested: false, ended: false },
    results: new ResultStore(bundle, 1),
    cells: new Map([
      ['/w', new Float32Array(200000).fill(step)],
      ['/n', new Float32Array(1).fill(step)],
    ]),
  });
  await saveCheckpoint(path, bytes);
  console.log(`saved ${step}`);
}
