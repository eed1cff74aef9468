/**
 * Pipelines as written after `by`: stages joined by |>, alternatives by else. `by fira() else adam()` serves by the second the leaves whose shape the first
 * refuses; a pipeline is a list of alternatives, each a list of rules.
 */
import type * as ast from '../ast/nodes.ts';
import { fail, SaddleError } from '../diagnostics/diagnostic.ts';
import type { Elaboration } from './context.ts';
import { type Application, acceptLeaf, applyPipeline, type Moving } from './rules.ts';
import type { Frame } from './scope.ts';
import { kindText, type Template, type Value } from './values.ts';

export type Alternatives = readonly (readonly Template[])[];

/** Alternatives of a pipeline: (a else b) |> c is a |> c else b |> c. */
export function alternativesOf(e: Elaboration, pipeline: ast.Pipeline, frame: Frame): Alternatives {
  let found: Alternatives = [[]];
  for (const stage of pipeline.stages) {
    const value = e.do.expression(e, stage, frame);
    const given = value.kind === 'pipeline' ? value.alternatives.flat() : [value];
    if (!given.every((t) => t.kind === 'template' && t.decl.kind === 'rule')) {
      fail('OPT304', stage.span, `a rule is needed here, not ${kindText(value)}`, {
        hint: 'rules come from: use rules { sgd, adam }',
      });
    }
    const next: Alternatives = value.kind === 'pipeline' ? value.alternatives : [[value as Template]];
    found = found.flatMap((before) => next.map((after) => [...before, ...after]));
  }
  return pipeline.otherwise ? [...found, ...alternativesOf(e, pipeline.otherwise, frame)] : found;
}

/** A pipeline as written; where one of its stages is a name for a rule (a parameter of a solver or trial), with what it stands for. */
export function pipelineText(e: Elaboration, pipeline: ast.Pipeline, alternatives: Alternatives): string {
  const written = e.options.text(pipeline.span);
  const rules = new Set(alternatives.flat().map((rule) => rule.decl.name.text));
  const named = (p: ast.Pipeline): boolean =>
    p.stages.some((stage) => stage.kind === 'name' && !rules.has(stage.name)) ||
    (p.otherwise !== undefined && named(p.otherwise));
  if (!named(pipeline)) return written;
  return alternatives.map((stages) => stages.map((rule) => ruleText(e, rule)).join(' |> ')).join(' else ');
}

/** `sgd(lr: 0.05)`. */
function ruleText(e: Elaboration, rule: Template): string {
  const given = [...(rule.spans ?? [])].map(([name, span]) => `${name}: ${e.options.text(span)}`);
  return `${rule.decl.name.text}(${given.join(', ')})`;
}

/** Applies to every leaf the first alternative that takes it. Errors: OPT427 for a leaf that none takes, OPT413 where nothing is written. */
export function move(e: Elaboration, alternatives: Alternatives, moving: readonly Moving[], app: Application): void {
  if (alternatives.length === 1) return applyPipeline(e, alternatives[0], moving, app);
  const groups = alternatives.map((): Moving[] => []);
  for (const leaf of moving) {
    const chosen = alternatives.findIndex((stages) => stages.every((rule) => accepts(e, rule, leaf, app)));
    if (chosen < 0) {
      const names = alternatives.map((stages) => stages.map((s) => s.decl.name.text).join(' |> '));
      fail(
        'OPT427',
        app.span,
        `none of ${names.join(', ')} takes ${leaf.path}, which has type ${e.typeText(leaf.p.type)}`,
        {
          labels: [...new Set(alternatives.flat().map((s) => s.decl))].flatMap((decl) =>
            decl.kind === 'rule' && decl.valueType
              ? [{ span: decl.valueType.span, text: `taken by ${decl.name.text}` }]
              : [],
          ),
          hint: 'end the pipeline with a rule for leaves of every shape: else adam(1e-3)',
        },
      );
    }
    groups[chosen].push(leaf);
  }
  groups.forEach((leaves, k) => {
    if (leaves.length === 0) return;
    const structure: Value =
      leaves.length === moving.length
        ? app.structure
        : { kind: 'tree', leaves: leaves.map((m) => ({ path: m.path, node: m.p })) };
    applyPipeline(e, alternatives[k], leaves, { ...app, structure, names: k > 0 ? `${app.names}~${k}` : app.names });
  });
}

function accepts(e: Elaboration, rule: Template, leaf: Moving, app: Application): boolean {
  try {
    acceptLeaf(e, rule, leaf, app);
    return true;
  } catch (error) {
    if (error instanceof SaddleError && error.diagnostics.every((d) => d.code === 'OPT310')) return false;
    throw error;
  }
}
