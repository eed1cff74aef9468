/**
 * Owner and direction checks on the elaborated program: models that nobody moves, reversals that cancel, negative reversal factors, an adversary both
 * subtracted and reversed. These mistakes change no shape and raise no error while running; they only make a method do something else.
 */
import { type Diagnostic, error, warning } from '../diagnostics/diagnostic.ts';
import type { Program, UpdateRecord } from '../ir/program.ts';
import { reachable } from '../ir/tensor/graph.ts';
import { capturedValues } from '../ir/tensor/regions.ts';
import type { Node } from '../ops/types.ts';
import { checkAdversaries } from './adversaries.ts';
import { isNegative, termsOf } from './directions.ts';
import { reach } from './reach.ts';

/** All findings, each reported once however many runs and turns share it. */
export function checkFlow(program: Program): Diagnostic[] {
  const found = [
    ...unmovedModels(program),
    ...checkAdversaries(program),
    ...program.updates.flatMap((u) => {
      const nodes = reachable(u.objectives.map((o) => o.node));
      const reversals = nodes.some((n) => n.op === 'gradient_reversal');
      return reversals ? [...negativeFactors(program, nodes), ...cancelledSigns(u)] : [];
    }),
  ];
  const seen = new Set<string>();
  return found.filter((d) => {
    const key = `${d.code} ${d.span?.file} ${d.span?.start} ${d.message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** A model is judged over all runs: in one of them it may well be left alone. In a run that moves nothing at all, nobody was forgotten. */
function unmovedModels(program: Program): Diagnostic[] {
  if (program.updates.length === 0) return [];
  const moved = new Set(program.updates.flatMap((u) => u.targets));
  const moving = new Set(['', ...program.updates.map((u) => u.run)]);
  const plainName = (m: Program['models'][number]) => (m.run === '' ? m.name : m.name.slice(m.run.length + 1));
  const settled = new Set(
    program.models
      .filter((m) => m.frozen || m.cells.some((c) => moved.has(c)))
      .map((m) => `${plainName(m)} ${m.span?.start}`),
  );
  return program.models
    .filter((m) => moving.has(m.run) && !settled.has(`${plainName(m)} ${m.span?.start}`))
    .map((m) =>
      warning(
        'OPT417',
        m.span,
        `nobody moves the model ${plainName(m)}: it keeps its initial parameters in every run`,
        {
          hint: `add it to the targets of an update, or write allow OPT417 on this line if that is meant`,
        },
      ),
    );
}

/** `reverse` negates by itself; a negative factor undoes it. `nodes`: all that the objectives of an update reach. */
function negativeFactors(program: Program, nodes: readonly Node[]): Diagnostic[] {
  const hypers = new Map(program.hypers.map((h) => [`hyper:${h.name}`, h.value]));
  const outside = new Map(nodes.flatMap((n) => (n.type.parts ? capturedValues(n) : [])));
  const valueOf = (n: Node): Node => (outside.has(n) ? valueOf(outside.get(n) as Node) : n);
  return nodes
    .filter((n) => n.op === 'gradient_reversal')
    .flatMap((n) => {
      const factor = valueOf(n.inputs[1]);
      const hyper = factor.op === 'parameter' ? hypers.get(factor.attrs.name as string) : undefined;
      if (!isNegative(factor) && !(hyper && isNegative(hyper))) return [];
      return [
        error(
          'OPT419',
          n.span,
          'the factor of this reversal is negative: the two signs cancel and nothing is reversed',
          {
            labels: hyper?.span
              ? [{ span: hyper.span, text: 'this is negative' }]
              : factor.span
                ? [{ span: factor.span, text: 'this is negative' }]
                : [],
            hint: 'reverse already negates: give it the factor without its minus sign',
          },
        ),
      ];
    });
}

function cancelledSigns(u: UpdateRecord): Diagnostic[] {
  const found: Diagnostic[] = [];
  const wrt = new Set(u.wrt);
  for (const objective of u.objectives) {
    const terms = termsOf(objective.node);
    for (const term of terms) {
      if (!reachable([term.node]).some((n) => n.op === 'gradient_reversal')) continue;
      const { reversals, nodes } = reach(term.node, wrt);
      for (const leaf of new Set(u.wrt)) {
        const own = reach(term.node, new Set<Node>([leaf]));
        if (own.reversals.length === 1 && own.reversals[0] === 2) found.push(doubled(u, objective, own.nodes));
      }
      if (term.sign < 0 && terms.length > 1 && reversals.includes(1)) {
        found.push(
          warning(
            'OPT421',
            objective.span,
            'a term of this objective is subtracted and also reversed on its way: the two signs cancel',
            {
              labels: nodes.flatMap((n) => (n.span ? [{ span: n.span, text: 'reversed here' }] : [])),
              hint: 'add the term and keep the reversal, or subtract it and remove the reversal',
            },
          ),
        );
      } else if (term.sign < 0 !== (u.sense === 'maximizing') && reversals.length === 1 && reversals[0] === 1) {
        // Every path is reversed: nobody is left for whom the other sign could be meant.
        found.push(turnedTwice(u, objective, nodes, term.sign < 0 ? 'negated' : 'maximized'));
      }
    }
  }
  return found;
}

function turnedTwice(
  u: UpdateRecord,
  objective: UpdateRecord['objectives'][number],
  nodes: readonly Node[],
  how: string,
): Diagnostic {
  return warning(
    'OPT421',
    objective.span,
    `this objective is ${how}, and reversed on every path to ${u.targetNames.join(', ')}: the two signs cancel`,
    {
      labels: nodes.flatMap((n) => (n.span ? [{ span: n.span, text: 'reversed here' }] : [])),
      hint: 'remove the reversal, or minimize',
    },
  );
}

function doubled(u: UpdateRecord, objective: UpdateRecord['objectives'][number], nodes: readonly Node[]): Diagnostic {
  const spans = nodes.flatMap((n) => (n.span ? [n.span] : []));
  return error(
    'OPT420',
    spans[0] ?? u.span,
    'two reversals lie on every path from the objective to what it moves, and cancel',
    {
      labels: [
        { span: objective.span, text: 'the objective' },
        ...spans.slice(1).map((span) => ({ span, text: 'reversed again here' })),
      ],
      hint: 'remove one of the two reversals',
    },
  );
}
