/** The optimization graph in the language of Graphviz. */
import type { Diagram, DiagramEdge, DiagramNode, DiagramPart } from '../compiler/check/diagram.ts';

/** Attributes of each kind of node; the colours are those of Okabe and Ito, told apart by colour-blind readers too. */
const nodeLook: Record<DiagramNode['kind'], string> = {
  data: 'shape=cylinder, fillcolor="#f2f2f2"',
  value: 'shape=note, fillcolor="#f2f2f2"',
  parameters: 'shape=box, style="rounded,filled", fillcolor="#d9ecf7"',
  term: 'shape=ellipse, fillcolor="#fdf3d0"',
  update: 'shape=box, fillcolor="#e3f1ea", penwidth=1.5',
  write: 'shape=box, fillcolor="#e3f1ea", style="dashed,filled"',
};

/** What moves parameters bends back to them and takes no part in the ranking from left to right. */
const back = 'constraint=false, penwidth=1.5';
const edgeLook: Record<DiagramEdge['kind'], string> = {
  reads: 'color="#999999"',
  stopped: 'color="#999999", style=dotted, arrowhead=tee, penwidth=1.5, label="stop", fontcolor="#666666"',
  objective: 'color="#333333"',
  descends: `color="#0072b2", fontcolor="#0072b2", ${back}`,
  ascends: `color="#b26a00", fontcolor="#b26a00", ${back}`,
  reversed: `color="#c0392b", fontcolor="#c0392b", style=dashed, arrowhead=inv, ${back}`,
  moves: `color="#0072b2", ${back}`,
};
const sign: Partial<Record<DiagramEdge['kind'], string>> = { descends: '− ', ascends: '+ ', reversed: '+ reversed ' };

/** The text of a .dot file. */
export function dotText(diagram: Diagram): string {
  const lines = [
    `digraph ${quoted(diagram.title)} {`,
    '  rankdir=LR; bgcolor=white; nodesep=0.35; ranksep=0.7;',
    '  fontname="Helvetica,Arial,sans-serif"; fontsize=13;',
    '  node [fontname="Helvetica,Arial,sans-serif", fontsize=12, margin="0.25,0.08", style=filled, color="#555555"];',
    '  edge [fontname="Helvetica,Arial,sans-serif", fontsize=11, arrowsize=0.7];',
    ...diagram.parts.flatMap((part, i) => cluster(part, i)),
    ...legend(diagram),
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

function cluster(part: DiagramPart, index: number): string[] {
  const own = (id: string) => `p${index}_${id}`;
  return [
    `  subgraph cluster_${index} {`,
    `    label=${quoted(part.names.join(', '))}; style=rounded; color="#bbbbbb"; margin=14;`,
    ...part.nodes.map((n) => {
      const label = n.detail === '' ? n.label : `${n.label}\n${n.detail}`;
      return `    ${own(n.id)} [${nodeLook[n.kind]}, label=${quoted(label)}];`;
    }),
    ...part.edges.map((e) => {
      const text = e.label === '' ? '' : `, label=${quoted(`${sign[e.kind] ?? ''}${e.label}`)}`;
      return `    ${own(e.from)} -> ${own(e.to)} [${edgeLook[e.kind]}${text}];`;
    }),
    '  }',
  ];
}

const meanings: readonly (readonly [DiagramEdge['kind'], string, string])[] = [
  ['descends', '#0072b2', '⟶ descends'],
  ['ascends', '#b26a00', '⟶ ascends'],
  ['reversed', '#c0392b', '⇢ reversed on its way'],
  ['stopped', '#666666', '⋯ read, but no derivative comes back'],
];

/** What the colours mean, of those that occur. */
function legend(diagram: Diagram): string[] {
  const kinds = new Set(diagram.parts.flatMap((p) => p.edges.map((e) => e.kind)));
  const rows = meanings.filter(([kind]) => kinds.has(kind));
  if (rows.length === 0) return [];
  const cells = rows.map(([, colour, text]) => `<TR><TD ALIGN="LEFT"><FONT COLOR="${colour}">${text}</FONT></TD></TR>`);
  return [
    '  legend [shape=plaintext, style="", fontsize=11,',
    `    label=<<TABLE BORDER="0" CELLSPACING="0">${cells.join('')}</TABLE>>];`,
  ];
}

function quoted(text: string): string {
  return `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`;
}
