/**
 * Reads every import of the tree and refuses those that go against the direction of the pipeline, and cycles between files.
 * The table is the architecture (see compiler/README.md): a folder may import itself and what its row lists.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Rows in the order of the flow; `bundle` is the format that the runtime shares with the compiler. */
const base = ['compiler/source', 'compiler/diagnostics'];
const ir = [...base, 'compiler/ops', 'compiler/bundle', 'compiler/ir'];
const rows = {
  'compiler/source': [],
  'compiler/diagnostics': ['compiler/source'],
  'compiler/ops': base,
  'compiler/bundle': [...base, 'compiler/ops'],
  'compiler/ir': [...base, 'compiler/ops', 'compiler/bundle'],
  grammar: base,
  'compiler/ast': [...base, 'grammar'],
  'compiler/check': [...ir, 'compiler/ast'],
  'compiler/autodiff': ir,
  'compiler/passes': ir,
  'compiler/elaborate': [...ir, 'compiler/ast', 'compiler/check', 'compiler/autodiff', 'compiler/passes'],
  'compiler/lower': [...ir, 'compiler/passes'],
  'compiler/emit': [...ir, 'compiler/passes', 'compiler/lower'],
  'compiler/pipeline.ts': ['grammar', 'compiler'],
  // The interpreter is loaded by a session whose bundle asks for float64 (`exact`), and by nothing else there.
  runtime: [...base, 'compiler/bundle', 'runtime/reference/exact.ts'],
  'runtime/reference': [...ir, 'runtime'],
  cli: ['compiler', 'grammar', 'runtime', 'index.ts'],
  'index.ts': ['compiler', 'runtime'],
  'node.ts': ['compiler', 'runtime', 'cli', 'index.ts'],
};
/** Folders in which nothing of Node or the DOM may be touched. */
const pure = ['grammar', 'compiler'];
/** Packages that a folder may import; those that are not listed may import none. */
const packages = {
  grammar: ['chevrotain'],
  'compiler/ast': ['chevrotain'],
  'runtime/data': [
    'csv-parse/sync',
    'fflate',
    'jpeg-js',
    'fast-png',
    'hyparquet',
    'hyparquet/src/column.js',
    'fzstd',
    '@uwdata/flechette',
  ],
  'runtime/host': ['webgpu', 'fflate'],
  cli: ['commander', 'picocolors', '@viz-js/viz'],
};
/** In the runtime, only these may import Node. */
const nodeRooms = ['runtime/host', 'runtime/data/node-files.ts', 'cli', 'runtime/checkpoint/node-store.ts'];

function files(dir) {
  return readdirSync(join(root, dir), { withFileTypes: true }).flatMap((e) => {
    const path = `${dir}/${e.name}`;
    if (e.isDirectory()) return files(path);
    return e.name.endsWith('.ts') ? [path] : [];
  });
}

/** Imports of a file: specifiers of static and dynamic imports and re-exports. */
function imports(text) {
  const found = [];
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(?:type\s+)?(?:[^'"`;]*?\s+from\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g;
  for (const m of text.matchAll(pattern)) found.push(m[1] ?? m[2]);
  return found;
}

/** The most specific row that a path lies in. */
function roomOf(path) {
  return Object.keys(rows)
    .filter((r) => path === r || path.startsWith(`${r}/`))
    .sort((a, b) => b.length - a.length)[0];
}
const within = (path, rooms) => rooms.some((r) => path === r || path.startsWith(`${r}/`));

const sources = ['grammar', 'compiler', 'runtime', 'cli'].flatMap(files);
try {
  readFileSync(join(root, 'index.ts'));
  sources.push('index.ts');
} catch {
  // The library's entry point may not exist in a partial checkout.
}
const problems = [];
const graph = new Map();

for (const file of sources) {
  const text = readFileSync(join(root, file), 'utf8');
  const room = roomOf(file);
  const targets = [];
  for (const spec of imports(text)) {
    if (!spec.startsWith('.')) {
      const node = isBuiltin(spec);
      if (!node && !Object.entries(packages).some(([folder, names]) => within(file, [folder]) && names.includes(spec)))
        problems.push(`${file}: no row of the table of packages allows '${spec}'`);
      if (node && within(file, pure)) problems.push(`${file}: the compiler is pure, but imports '${spec}'`);
      if (node && file.startsWith('runtime/') && !within(file, nodeRooms))
        problems.push(`${file}: only ${nodeRooms.join(', ')} may import '${spec}'`);
      continue;
    }
    const target = normalize(relative(root, join(root, dirname(file), spec)));
    targets.push(target);
    const to = roomOf(target);
    if (!room || !to) problems.push(`${file}: no row of the table covers the import of ${target}`);
    else if (to !== room && !within(target, rows[room]))
      problems.push(`${file} (${room}) may not import ${target} (${to})`);
  }
  if (within(file, pure)) {
    for (const name of [
      'process',
      'window',
      'document',
      'navigator',
      'performance',
      'Date.now',
      'Math.random',
      'new Date',
      'setTimeout',
      'setInterval',
      'queueMicrotask',
      'fetch',
      'crypto',
      'console',
      'globalThis',
      'require',
      'Buffer',
    ])
      if (
        new RegExp(`(?<![\\w.'"\`])${name.replace('.', '\\.')}(?=[.(\\[])`).test(
          text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''),
        )
      )
        problems.push(`${file}: the compiler is pure, but uses ${name}`);
  }
  // Type-only imports make no cycle at run time.
  const values = text.replace(/(?:^|\n)\s*(?:import|export)\s+type\s[\s\S]*?from\s+['"][^'"]+['"]/g, '\n');
  const kept = new Set(
    imports(values)
      .filter((s) => s.startsWith('.'))
      .map((s) => normalize(relative(root, join(root, dirname(file), s)))),
  );
  graph.set(
    file,
    targets.filter((t) => kept.has(t)),
  );
}

/** Cycles by depth-first search; each is reported once, by its path. */
const state = new Map();
function visit(file, trail) {
  if (state.get(file) === 'done') return;
  if (state.get(file) === 'open') {
    problems.push(`cycle: ${[...trail.slice(trail.indexOf(file)), file].join(' -> ')}`);
    return;
  }
  state.set(file, 'open');
  for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
  state.set(file, 'done');
}
for (const file of graph.keys()) visit(file, []);

for (const p of problems) console.error(p);
if (problems.length > 0) process.exit(1);
console.log(`layers: ${sources.length} files, no import against the flow, no cycle`);
