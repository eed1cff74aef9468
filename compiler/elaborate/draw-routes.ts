/**
 * Gradients that would silently leave something out: a draw that is no differentiable function of its arguments (a class, a coin, a gamma variate) reaches an
 * objective as a number, and what it is differentiated by moves the arguments. Such an objective needs `logp` of the draw.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import { regionsOf } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { heldDraw, visibleNodes } from './targets.ts';

/** Fails where a derivative of `outputs` by `wrt` would miss the part that goes through a draw. */
export function checkDrawRoutes(outputs: readonly Node[], wrt: readonly Node[], span: Span): void {
  const draws = numericDraws(outputs);
  if (draws.size === 0) return;
  const held = [...visibleNodes(outputs, true)].flatMap((node) => heldDraw(node) ?? []);
  const covered = visibleNodes(held);
  const leaves = new Set(wrt);
  for (const [draw, inside] of draws) {
    if (covered.has(draw) || !movedBy(draw, leaves, inside)) continue;
    const name = String(draw.attrs.draw);
    fail('OPT429', span, `a draw of ${name} depends on what this is differentiated by, but no derivative passes it`, {
      labels: draw.span ? [{ span: draw.span, text: 'drawn here, and used as a number' }] : [],
      hint: 'add stop(cost) * logp(z) to the objective (the score function), or stop the draw where it is meant as a constant',
    });
  }
}

/** Draws that the outputs read as numbers, and whether inside of a loop or branch. */
function numericDraws(outputs: readonly Node[]): Map<Node, boolean> {
  const seen = new Set<Node>();
  const draws = new Map<Node, boolean>();
  const stack = outputs.map((node) => ({ node, inside: false }));
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { node, inside } = next;
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.attrs.draw !== undefined) draws.set(node, inside);
    else if (node.op !== 'stop' && node.op !== 'version') {
      for (const input of numericInputs(node)) stack.push({ node: input, inside });
      for (const region of regionsOf(node))
        for (const result of region.results) stack.push({ node: result, inside: true });
    }
  }
  return draws;
}

/** Inputs whose numbers enter the node's numbers: no indices, no conditions, no float behind a comparison. */
function numericInputs(node: Node): readonly Node[] {
  if (node.type.parts) return node.inputs.filter(isFloat);
  if (node.op === 'part' || node.op === 'cast') return node.inputs;
  if (isFloat(node)) return node.inputs.filter(isFloat);
  if (node.op === 'select') return node.inputs.slice(1);
  if (node.op === 'gather' || node.op === 'dynamic_slice') return [node.inputs[0]];
  return node.inputs.filter((input) => !isFloat(input));
}

const isFloat = (node: Node): boolean => node.type.dtype === 'f32';

/**
 * Do the arguments of a draw depend on a leaf through floats? Keys (u32) are no arguments. A draw inside of a loop or branch is taken to depend on
 * whatever its region reads as a float.
 */
function movedBy(draw: Node, leaves: ReadonlySet<Node>, inside: boolean): boolean {
  const seen = new Set<Node>();
  const stack = [...draw.inputs];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node) || node.type.dtype === 'u32') continue;
    seen.add(node);
    if (leaves.has(node)) return true;
    if (node.op === 'version') continue;
    if (inside && node.op === 'parameter' && node.attrs.source === 'region' && isFloat(node)) return true;
    if (node.op === 'stop' && node.attrs.draw === undefined) continue;
    stack.push(...node.inputs);
  }
  return false;
}
