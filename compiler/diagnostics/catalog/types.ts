/** OPT3xx: Types, shapes, dims. */
import type { CatalogEntry } from '../catalog.ts';

export const typesCodes = {
  OPT301: {
    title: 'number types do not agree',
    about:
      'Values of different number types (f32, i32, u32, bool) meet in one operation. Saddle converts nothing silently, because a conversion can lose digits or hide a slip; only literals and dims take the type of what they meet. Convert with f32(x), i32(x), or compare to get a condition.',
  },
  OPT302: {
    title: 'shapes do not fit',
    about:
      "The shapes of two values do not fit the operation: sizes at the same axis must be equal, or 1, for arithmetic; the contracted axes of '@' must be equal; joined arrays must agree outside the joined axis. Both places are shown with their shapes.",
  },
  OPT303: {
    title: 'ambiguous broadcast',
    about:
      'The shorter operand could be aligned with more than one axis of the longer one, since two axes have its size. The trailing alignment that other systems choose silently is a well-known source of wrong results, so the place has to be said: w[:, new] or w[new, :].',
  },
  OPT304: {
    title: 'wrong kind of value',
    about:
      'A value of one kind stands where another is needed: a function where a number is, a data set where a model is, a name that nothing declares. The message says what is needed.',
  },
  OPT305: {
    title: 'not known at compile time',
    about:
      'Shapes, counts, steps and indices of families must be known when the program is compiled. They are made of numbers, dim declarations, len(x), size(P) and arithmetic on them.',
  },
  OPT306: {
    title: 'no such axis',
    about:
      'An operation names or needs an axis that the value does not have, or an index has more items than the value has axes.',
  },
  OPT307: {
    title: 'index out of range',
    about:
      'A static index or slice lies outside of its axis, or an index has a form that does not exist. Saddle never clamps an index: one that is known at compile time is refused then, others are checked while running.',
  },
  OPT308: {
    title: 'not one number',
    about:
      'An objective, metric, report, hyper or factor is a single number, but an array or a value computed on the device is given. Reduce arrays with mean, sum or max.',
  },
  OPT309: {
    title: 'division of integers',
    about:
      "'/' on integer values would have to round, and languages disagree on how. Use div and mod (floor division), or convert both sides with f32.",
  },
  OPT310: {
    title: 'declared type is not met',
    about:
      'A value does not have the type that a parameter, result, let or cell declares. Dims of one name must be equal within a call; the place that fixed a dim is shown.',
  },
  OPT311: {
    title: 'wrong arguments',
    about:
      'A call gives an argument that the callee does not have, leaves one off that has no default, gives one twice, or gives a value of the wrong kind.',
  },
  OPT312: {
    title: 'no such member, or a second of its name',
    about:
      'A field, part, member, metric or report is read that does not exist, or declared although its name is taken in the same record, family or run.',
  },
  OPT313: {
    title: 'structures do not match',
    about:
      'Trees, tuples and records are combined leaf by leaf, so both sides need the same fields or leaves in the same order; a single number or tensor meets every leaf.',
  },
  OPT314: {
    title: 'parameter changes its shape',
    about:
      'The first call of a model fixes the dims in the types of its parameters. A later call of the same model needs other dims, although all calls share the parameters.',
  },
  OPT315: {
    title: 'a number does not fit',
    about:
      'A literal cannot take the type of what it meets: a fraction among integers, or a number outside of the range of the type.',
  },
  OPT316: {
    title: 'data do not fit their declaration',
    about:
      'A data declaration disagrees with the file it names (fields, types, sizes, rows), or a generated data set has fields with different numbers of rows. Or rows are drawn of what is no data set: `D[64] replacement` stands in a batch.',
  },
  OPT317: {
    title: 'parameters of a model are not known',
    about:
      'The parameters of a model come from its first call, or before that from the types of its arguments where these decide them. Using the model as a whole (update, grad, copy) before they are known, or adding parameters by a new call path afterwards, leaves it unclear which ones are meant.',
  },
  OPT318: {
    title: 'no condition',
    about:
      'if, until and where need a condition (bool), such as a comparison; an if used as a value needs both branches.',
  },
  OPT319: {
    title: 'pattern does not match',
    about: 'A pattern has more or fewer names than its value has parts.',
  },
  OPT321: {
    title: 'wrong draw',
    about:
      'A distribution is unknown, gets arguments it does not have, or draws values of another type than declared; or a cell has no initial value.',
  },
  OPT322: {
    title: 'a value that cannot be called',
    about: 'Only functions, layers, models and rules can be called.',
  },
  OPT323: {
    title: 'unknown setting',
    about: '--set names something that is neither a dim nor a hyper of the main file.',
  },
  OPT330: {
    title: 'unknown series',
    about: 'An expect reads a name under which the run records nothing. Runs record metrics and reports.',
  },
  OPT331: {
    title: 'series used as a value',
    about:
      'Metrics and reports are series over the steps of a run. Claims may read them (last value, at n, max, min, mean over a window) and combine the numbers by arithmetic; programs may not, since the series is complete only when the run is over.',
  },
  OPT332: {
    title: 'not a claim',
    about: 'An expect claims a comparison of numbers (or that a run fails), over a non-empty range of seeds.',
  },
  OPT333: {
    title: 'nothing to reduce over',
    about: "median(e) and mean(e) in a claim reduce over seeds, so the claim needs 'over seeds a..=b'.",
  },
  OPT334: {
    title: 'no static fact',
    about:
      'peak_bytes measures the step or eval of a run, or an export; bytes measures the state of a run, a model or a cell; calls counts the evaluations of a fn in a train phase of a fixed number of steps. All are known from the compiled program, before it runs.',
  },
} satisfies Record<string, CatalogEntry>;
