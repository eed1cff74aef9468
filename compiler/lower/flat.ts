/**
 * Horizontal fusion: elementwise kernels with the same code over different tensors become one kernel over an arena, if each operand's tensors lie
 * side by side: cells of one group and what one loop carries do, and temporaries are asked to (`blocks`). Gaps between tensors are computed too; nothing reads them.
 */
import { walk, type Expression, type Kernel, type Statement, type View } from '../ir/kernel/kernel.ts';
import { lowerFlat } from './nest.ts';
import type { DeviceProfile } from './profile.ts';
import type { StatePlace } from './schedule.ts';
import { padded, type Tensors } from './tensors.ts';
import { unitOf, type Item, type Unit } from './unit.ts';

interface Member {
  readonly unit: Unit;
  /** Tensors in order of first access, those read at one fixed place (scalars) excepted. */
  readonly slots: readonly string[];
  readonly size: number;
}

/** `inBlock` are the temporaries of the entry whose neighbours are settled; those of new blocks are added. */
export function mergeFlat(
  units: readonly Item[],
  tensors: Tensors,
  place: StatePlace,
  hasCycle: (units: readonly Item[]) => boolean,
  profile: DeviceProfile,
  inBlock: Set<string>,
): { units: Item[]; blocks: string[][] } {
  const classes = new Map<string, Member[]>();
  for (const unit of units) {
    const found = unit.kind === 'kernel' ? signature(unit) : undefined;
    if (!found) continue;
    const list = classes.get(found.text);
    if (list) list.push(found.member);
    else classes.set(found.text, [found.member]);
  }
  const blocks: string[][] = [];
  let list: Item[] = [...units];
  for (const members of classes.values()) {
    for (const run of contiguousRuns(members, tensors, place, inBlock)) {
      const [first] = run;
      const total = run.reduce((sum, m) => sum + padded(m.size), 0);
      const merged = mergedUnit(run, total, profile);
      const own = new Set<Item>(run.map((m) => m.unit));
      const tried = list.flatMap((u) => (u === first.unit ? [merged] : own.has(u) ? [] : [u]));
      // Kernels between them may need one member done before another.
      if (hasCycle(tried)) continue;
      list = tried;
      first.slots.forEach((slot, k) => {
        if (!tensors.isFree(slot)) return;
        const block = run.map((m) => m.slots[k]);
        block.forEach((t) => inBlock.add(t));
        blocks.push(block);
      });
    }
  }
  return { units: list, blocks };
}

/** True where no member touches what another one writes. */
function independent(a: Unit, b: Unit, tensors: Tensors): boolean {
  const touches = (x: Unit, y: Unit): boolean =>
    [...x.writes].some((t) => y.reads.has(t) || y.reads.has(tensors.memory(t)) || y.writes.has(t));
  return !touches(a, b) && !touches(b, a);
}

function mergedUnit(run: readonly Member[], total: number, profile: DeviceProfile): Unit {
  const [first] = run;
  const nest = first.unit.nest as NonNullable<Unit['nest']>;
  const slots = new Set(first.slots);
  const widen = (view: View): View => (slots.has(view.tensor) ? { ...view, size: total } : view);
  const spec = {
    rows: total,
    roots: nest.spec.roots.map((r) => ({ node: r.node, targets: r.targets.map(widen) })),
  };
  const storage = {
    ...nest.storage,
    view: (node: Parameters<typeof nest.storage.view>[0]) => {
      const view = nest.storage.view(node);
      return view && widen(view);
    },
  };
  const kernel = lowerFlat(spec, storage, profile);
  const label = `${first.unit.label} (${run.length} tensors)`;
  const spans = [...new Map(run.flatMap((m) => m.unit.spans).map((s) => [`${s.file}:${s.start}`, s])).values()];
  const flops = run.reduce((sum, m) => sum + m.unit.flops, 0);
  const merged = unitOf(kernel, label, spans.slice(0, 8), flops, { gate: first.unit.gate });
  merged.reads = new Set(run.flatMap((m) => [...m.unit.reads]));
  merged.writes = new Set(run.flatMap((m) => [...m.unit.writes]));
  return merged;
}

/** Sorts members by where their state lies and cuts them into runs in which every operand is contiguous. */
function contiguousRuns(
  members: readonly Member[],
  tensors: Tensors,
  place: StatePlace,
  inBlock: ReadonlySet<string>,
): Member[][] {
  if (members.length < 2) return [];
  const placeOf = (t: string): ReturnType<StatePlace> => place(tensors.memory(t));
  const ordered = members.map((m) => {
    const cells = m.slots.map(placeOf);
    return { m, cells, key: cells.find((c) => c !== undefined) };
  });
  ordered.sort((a, b) => {
    if (!a.key || !b.key) return 0;
    return a.key.buffer === b.key.buffer ? a.key.offset - b.key.offset : a.key.buffer < b.key.buffer ? -1 : 1;
  });
  const free = (m: Member): boolean =>
    m.slots.every((s) => placeOf(s) !== undefined || (tensors.isFree(s) && !inBlock.has(s)));
  const runs: Member[][] = [];
  let run: typeof ordered = [];
  const used = new Set<string>();
  const close = (): void => {
    if (run.length > 1) runs.push(run.map((r) => r.m));
    run = [];
  };
  for (const item of ordered) {
    const last = run[run.length - 1];
    const adjoins =
      last !== undefined &&
      item.cells.every((c, k) => {
        const before = last.cells[k];
        if (!c || !before) return c === before;
        return c.buffer === before.buffer && c.offset === before.offset + padded(last.m.size);
      });
    // A temporary may take part once: it can lie in one place only.
    const fresh = item.m.slots.every((s) => placeOf(s) !== undefined || !used.has(s));
    if (!free(item.m) || !fresh) {
      close();
      continue;
    }
    if (!adjoins || !run.every((r) => independent(r.m.unit, item.m.unit, tensors))) close();
    run.push(item);
    item.m.slots.forEach((s) => used.add(s));
  }
  close();
  return runs;
}

/** The code of an elementwise kernel with its tensors numbered and its size left out; undefined where a kernel is of another kind. */
function signature(unit: Unit): { text: string; member: Member } | undefined {
  const { nest, kernel } = unit;
  if (!nest || unit.faults || kernel.branches.length !== 1) return undefined;
  const slots: string[] = [];
  let simple = true;
  let loops = 0;
  let flat: string | undefined;
  const slot = (view: View, key: string, constant: boolean): string => {
    if (constant) return `${view.tensor}[${key}]`;
    if (flat !== undefined && flat !== key) simple = false;
    flat = key;
    if (view.storage !== 'word') simple = false;
    if (!slots.includes(view.tensor)) slots.push(view.tensor);
    return `$${slots.indexOf(view.tensor)}:${view.dtype}`;
  };
  const lines: string[] = [];
  walk(kernel as Kernel, (s: Statement) => {
    if (s.kind === 'loop') {
      loops++;
      if (s.carries.length > 0) simple = false;
    } else if (s.kind === 'store') {
      if (s.index.terms.length === 0) simple = false;
      lines.push(`${slot(s.view, s.index.key, false)} = ${s.value}`);
    } else if (s.kind === 'let') lines.push(`${s.id}:${s.dtype}${s.width} ${expressionText(s.expr)}`);
    else simple = false;
  });
  function expressionText(e: Expression): string {
    switch (e.kind) {
      case 'constant':
        return `const ${Object.is(e.value, -0) ? '-0' : e.value}`;
      case 'op':
        if (e.shape !== undefined) simple = false;
        return `${e.op}(${e.args.join()}) ${JSON.stringify(e.attrs)}`;
      case 'load':
        return slot(e.view, e.index.key, e.index.terms.length === 0);
      case 'mad':
      case 'component':
      case 'vector':
        return JSON.stringify(e);
      default:
        simple = false;
        return '';
    }
  }
  const { rows, roots } = nest.spec;
  if (!simple || loops !== 1 || slots.length === 0 || roots.length === 0) return undefined;
  lines.push(`if ${unit.gate?.tensor ?? ''}`);
  return { text: lines.join('\n'), member: { unit, slots, size: rows } };
}
