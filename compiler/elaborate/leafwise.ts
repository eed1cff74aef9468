/** `leafwise(f, a, b)`: f of each leaf of values of one structure, such as the tensors of a model one by one. A leaf is a call of its own, with draws of its own. */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { parametersOf } from './arguments.ts';
import type { SpecialForm } from './derivatives.ts';
import { leaves, plain, rebuild, toNode } from './convert.ts';
import { siteName } from '../ast/sites.ts';
import { callFn } from './templates.ts';
import { kindText, type Template, type Value } from './values.ts';

export const leafwise: SpecialForm = (e, call, frame) => {
  const [f, ...args] = call.args.map((a) => a.value);
  if (args.length === 0 || call.args.some((a) => a.name))
    fail('OPT311', call.span, 'leafwise takes a fn and the values that it goes over', {
      hint: 'write leafwise(f, a, b): f of each leaf of a and b',
    });
  const template = fnOf(e.do.expression(e, f, frame), f);
  const values = args.map((arg) => plain(e, e.do.expression(e, arg, frame), arg.span));
  const rows = values.map((value, k) => leaves(e, value, args[k].span));
  rows.forEach((row, k) => {
    if (row.length === rows[0].length) return;
    fail('OPT313', args[k].span, `${kindText(values[k])} does not match ${kindText(values[0])} leaf by leaf`, {
      labels: [{ span: args[0].span, text: `this is ${kindText(values[0])}` }],
      hint: 'all need the same leaves',
    });
  });
  const nodes = rows[0].map(({ path }, i) => {
    const bound = new Map(template.bound);
    const open = parametersOf(template).filter((p) => !bound.has(p.name.text));
    if (open.length < args.length)
      fail(
        'OPT311',
        call.span,
        `${template.decl.name.text} takes ${open.length} arguments, but ${args.length} are given`,
        {
          labels: [{ span: template.decl.name.span, text: 'declared here' }],
          hint: 'give a fn of as many arguments as there are values',
        },
      );
    rows.forEach((row, k) => bound.set(open[k].name.text, row[i].value));
    const name = path === '' ? siteName(call) : `${siteName(call)}.${path}`;
    return toNode(e, callFn(e, { ...template, bound }, { name, span: call.span }, frame), call.span, 'f32');
  });
  return rebuild(e, values[0], nodes, call.span);
};

function fnOf(value: Value, expr: ast.Expr): Template {
  if (value.kind === 'template' && value.decl.kind === 'fn') return value;
  fail('OPT311', expr.span, `leafwise takes a fn with parameters, not ${kindText(value)}`, {
    hint: 'declare fn f(a) = …',
  });
}
