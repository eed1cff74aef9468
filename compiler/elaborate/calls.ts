/** Calls: what is called decides. Primitives and functions that need no `use`, templates, layers and models; rules and other words take arguments and stay templates. */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import { giveArguments, openParameters } from './arguments.ts';
import { elementwiseBuiltins } from './builtins-elementwise.ts';
import { linearBuiltins } from './builtins-linear.ts';
import { orderBuiltins, reductions } from './builtins-order.ts';
import { shapeBuiltins } from './builtins-shape.ts';
import { windowBuiltins } from './builtins-windows.ts';
import { type BuiltinFn, evaluateArguments } from './builtins.ts';
import { unknownName } from './bindings.ts';
import type { Elaboration } from './context.ts';
import { toFloat } from './convert.ts';
import { positional, type SpecialForm, specialForms as derivativeForms } from './derivatives.ts';
import { hessian, jacobian } from './jacobian.ts';
import { leafwise } from './leafwise.ts';
import { logp } from './log-density.ts';
import { callLayer, callModel } from './models.ts';
import { ruleStep } from './rule-step.ts';
import type { Frame } from './scope.ts';
import { callProduct, callSet, isSet } from './sets.ts';
import { siteName } from '../ast/sites.ts';
import { callFn, type CallSite } from './templates.ts';
import { kindText, type Template, tensor, type Value } from './values.ts';

const builtins: Readonly<Record<string, BuiltinFn>> = {
  ...elementwiseBuiltins,
  ...reductions,
  ...shapeBuiltins,
  ...windowBuiltins,
  ...orderBuiltins,
  ...linearBuiltins,
};

/** `lo(c)` and `hi(c)` in a solver: the least whole number of a variable's range, and the one behind the greatest. */
const end =
  (name: 'lo' | 'hi'): SpecialForm =>
  (e, call, frame) => {
    const [variable] = positional(call, name, ['variable']);
    const found = variable.kind === 'name' ? frame.solving?.bound(variable.name, name) : undefined;
    if (found) return found;
    fail(
      'OPT424',
      call.span,
      `${name} is the end of the range of a variable of whole numbers, in the solver that moves it`,
      {
        hint: `name a tree of variables of the solver's header: ${name}(c)`,
      },
    );
  };

const specialForms: Readonly<Record<string, SpecialForm>> = {
  lo: end('lo'),
  hi: end('hi'),
  ...derivativeForms,
  jacobian,
  hessian,
  logp,
  leafwise,
};

/** Functions over series, runs and the compiled program. */
const CLAIMS_ONLY = new Set(['median', 'nondecreasing', 'highest', 'lowest', 'best', 'peak_bytes', 'bytes', 'calls']);

/** Names that this version evaluates without a `use`. */
export const builtinNames: readonly string[] = [...Object.keys(builtins), ...Object.keys(specialForms)];

export function call(e: Elaboration, expr: ast.Call, frame: Frame): Value {
  const { callee } = expr;
  const unbound = callee.kind === 'name' && frame.scope.find(callee.name) === undefined;
  if (unbound && Object.hasOwn(specialForms, callee.name)) {
    e.lookedAround++;
    return specialForms[callee.name](e, expr, frame);
  }
  if (callee.kind === 'member' && callee.name.text === 'step') {
    const rule = e.do.expression(e, callee.object, frame);
    if (rule.kind === 'template' && rule.decl.kind === 'rule') return ruleStep(e, rule, expr, frame);
  }
  if (callee.kind === 'member' && namesSet(e, callee.object, frame)) {
    const set = e.do.expression(e, callee.object, frame);
    if (isSet(set)) return callSet(e, set, callee.name, expr, frame);
    if (set.kind === 'setProduct') return callProduct(e, set, callee.name, expr, frame);
  }
  const value = e.do.expression(e, callee, frame);
  const site = { name: siteName(expr), span: expr.span };
  switch (value.kind) {
    case 'builtin': {
      if (!Object.hasOwn(builtins, value.name)) {
        e.lookedAround++;
        if (Object.hasOwn(specialForms, value.name)) return specialForms[value.name](e, expr, frame);
        if (CLAIMS_ONLY.has(value.name))
          fail(
            'OPT424',
            callee.span,
            `${value.name} is known only in claims, when the program is compiled or has run`,
            {
              hint: `write expect ${e.options.text(expr.span)} < …`,
            },
          );
        const estimator = e.do.libraryEstimator(e, value.name, callee.span);
        if (estimator) return giveArguments(e, estimator, expr.args, frame);
        unknownName(value.name, callee.span, frame);
      }
      return builtins[value.name](evaluateArguments(e, value.name, expr.args, frame, expr.span));
    }
    case 'linearMap':
      return tensor(value.apply(vectorOf(e, value.size, expr, frame)));
    case 'model':
      return callModel(e, value.instance, expr.args, site, frame);
    case 'template':
      switch (value.decl.kind) {
        case 'fn':
          return fnCall(e, giveArguments(e, value, expr.args, frame), site, frame, expr);
        case 'layer':
          return callLayer(e, value, expr.args, site, frame);
        case 'trial':
          fail('OPT424', expr.span, `the trial ${value.decl.name.text} is instantiated by a run`, {
            hint: `write run name = ${value.decl.name.text}(…)`,
          });
        // falls through: fail never returns
        default:
          return giveArguments(e, value, expr.args, frame);
      }
    default:
      fail('OPT322', callee.span, `${kindText(value)} cannot be called`, {
        hint: 'only functions, layers, models and rules take arguments',
      });
  }
}

/** The argument of a linear map. */
function vectorOf(e: Elaboration, size: number, expr: ast.Call, frame: Frame): Node {
  const [argument] = positional(expr, 'a linear map', ['a vector']);
  const node = toFloat(e, e.do.expression(e, argument, frame), argument.span);
  if (node.type.shape.length !== 1 || node.type.shape[0] !== size)
    fail('OPT302', argument.span, `a vector of ${size} numbers is needed here, not ${e.typeText(node.type)}`, {
      hint: 'the linear map takes vectors as long as b',
    });
  return node;
}

/** Is `S` or `box(0, 1)` before a point a set? */
function namesSet(e: Elaboration, object: ast.Expr, frame: Frame): boolean {
  const root = object.kind === 'call' ? object.callee : object;
  if (root.kind !== 'name' || !frame.scope.find(root.name)) return false;
  const value = e.do.expression(e, root, frame);
  return isSet(value) || value.kind === 'setProduct';
}

/** A call that leaves parameters open is a function of them; one without any argument is a call that forgot them. */
function fnCall(e: Elaboration, t: Template, site: CallSite, frame: Frame, expr: ast.Call): Value {
  return expr.args.length > 0 && openParameters(t).length > 0 ? t : callFn(e, t, site, frame);
}
