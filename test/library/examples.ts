/** docs/stdlib.md: what each name of the library is, in the words of its doc comment, with an example and the value that the float64 interpreter gives it. */
import { runSpec } from '../unit/elaborate/run-spec.ts';
import { type Declared, declared, moduleDoc, table } from './program.ts';
import { inner, type Row } from './rows.ts';

/** The example as a spec: its statements, and its last line as the value of a cell. */
export function exampleSpec(module: string, name: string, row: Row): string {
  const lines = row.example.split('\n');
  const use = module === 'inits' ? [] : [`use ${module} { ${name} }`];
  const value = lines[lines.length - 1];
  return [...use, ...lines.slice(0, -1), `let result = ${value}`].join('\n');
}

/** The value of an example, with five digits: `0.5`, `[1, 2]`, `[[1, 2], [3, 4]]`, or parts of a record and tuple one behind another. */
export function exampleValue(module: string, name: string, row: Row): string {
  const spec = exampleSpec(module, name, row);
  const shapes = /^shape\((.*)\)$/.exec(row.example.split('\n').at(-1) as string);
  if (shapes) return shapeOf(spec.replace(/let result = .*$/, `var result = ${shapes[1]}`));
  const machine = runSpec(spec.replace(/let result = /, 'var result = '));
  const parts = machine.program.cells.filter((c) => c.id === 'result' || c.id.startsWith('result.'));
  return parts
    .map(({ id, type }) => {
      const label = id === 'result' ? '' : `${id.slice('result.'.length)}: `;
      return label + nested(machine.values(id), type.shape);
    })
    .join(', ');
}

function shapeOf(spec: string): string {
  const machine = runSpec(spec);
  const found = machine.program.cells.find((c) => c.id === 'result');
  return `[${found?.type.shape.join(', ') ?? ''}]`;
}

function nested(values: readonly number[], shape: readonly number[]): string {
  if (shape.length === 0) return number(values[0]);
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  const rows = Array.from({ length: shape[0] }, (_, i) =>
    nested(values.slice(i * size, (i + 1) * size), shape.slice(1)),
  );
  return `[${rows.join(', ')}]`;
}

/** Five significant digits, without exponents of rounding errors. */
function number(x: number): string {
  if (Math.abs(x) < 5e-8) return '0';
  const text = Math.abs(x) < 1e-3 || Math.abs(x) >= 1e6 ? x.toExponential(4) : String(Number(x.toPrecision(5)));
  return text.replace(/\.?0+e/, 'e');
}

/** The whole page. */
export function page(): string {
  const parts = Object.keys(table)
    .toSorted()
    .map((module) => section(module));
  return `# The standard library

Every name of the modules below that is meant for use, with its signature, what it is and where it comes from, and an example with its value. This page is made from the doc
comments of the modules and from examples that the tests run (\`test/library\`); each name is also checked there: its first and second derivatives against differences, \`map\` of it
against a loop, and the device against float64. \`use losses { huber }\` makes a name known; initializers need no \`use\`.
Estimators, aggregators, solvers and the classes of problems are described by the comments of \`stdlib/estimators.opt\`, \`aggregators.opt\`, \`solvers.opt\` and \`classes.opt\`, and have tests of their own.

${parts.join('\n')}`;
}

function section(module: string): string {
  const known = declared(module).filter((d) => !Object.hasOwn(inner[module], d.name));
  return `## ${module}\n\n${moduleDoc(module)}\n\n${known.map((d) => entry(module, d)).join('\n')}`;
}

function entry(module: string, d: Declared): string {
  const row = table[module][d.name];
  const said = d.doc.filter((line) => !line.startsWith('  ')).join(' ');
  const usage = d.doc.filter((line) => line.startsWith('  ')).map((line) => line.trim());
  const uses = usage.length > 0 ? `\n\nAs in \`${usage.join('`, `').replaceAll(/\s{3,}/g, '`, `')}\`.` : '';
  const lines = row.example.split('\n');
  const shown = [...lines.slice(0, -1), `${lines[lines.length - 1]}    // ${exampleValue(module, d.name, row)}`];
  return `### ${d.name}\n\n\`${d.head}\`\n\n${said}${uses}\n\n\`\`\`text\n${shown.join('\n')}\n\`\`\`\n`;
}
