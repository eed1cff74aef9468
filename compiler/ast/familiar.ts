/** Words that messages compare with: keywords by place, and the first words of statements in other languages. */

/** Keywords that begin a statement. */
export const statementStarts = [
  'use', 'dim', 'hyper', 'axis', 'data', 'frozen', 'var', 'param', 'state', 'layer', 'model', 'rule', 'estimator', 'aggregator', 'solver', 'class',
  'set', 'problem', 'trial', 'run', 'export', 'opaque', 'let', 'fn', 'sample', 'batch', 'update', 'train', 'solve', 'eval', 'metric', 'report',
  'expect', 'repeat', 'while', 'for', 'every', 'first', 'together', 'emit', 'next', 'multipliers', 'over', 'minimize', 'maximize', 'player', 'map', 'scan',
]; // prettier-ignore
/** Those that a number may follow. */
export const countedStarts = ['train', 'repeat', 'every', 'expect', 'emit', 'next', 'minimize', 'maximize'];

/** Keywords between and behind expressions. */
export const infixWords = [
  'by', 'minimizing', 'maximizing', 'along', 'with', 'at', 'as', 'over', 'until', 'max', 'for', 'in', 'from', 'fails', 'within', 'gradient', 'solves',
  'moves', 'minimizes', 'maximizes', 'replacement', 'like', 'seed', 'stream', 'else', 'and', 'or', 'div', 'mod', 'restart',
]; // prettier-ignore

/** First words of statements in other languages, and what is written instead. */
export const foreignStarts: Record<string, string> = {
  def: "a function is written 'fn f(x) = e' or 'fn f(x) { … }'",
  function: "a function is written 'fn f(x) = e' or 'fn f(x) { … }'",
  func: "a function is written 'fn f(x) = e' or 'fn f(x) { … }'",
  fun: "a function is written 'fn f(x) = e' or 'fn f(x) { … }'",
  return: 'the last expression of a body is its value; write it without return',
  import: "write 'use nn { linear, relu }'",
  include: "write 'use nn { linear, relu }'",
  const: "write 'let x = e', 'dim N = 3' for sizes or 'hyper lr = 0.1' for settings",
  lambda: "functions have names: 'fn f(x) = e'",
  elif: "write 'else if c { … }'",
  print: "values are shown by 'report x' and 'metric m = e'",
  assert: "write 'expect a == b', or 'fail when c as \"why\"'",
  loop: "write 'repeat n { … }' or 'while c max n { … }'",
  do: "write 'repeat n { … }'",
  foreach: "write 'map X as e { … }', or 'for i in 0..n { … }' for a static range",
  parameter: "write 'param W: f32[n, m] ~ glorot' in a layer, or 'var x = e'",
  optimize: "write 'update P by rule(…) minimizing L'",
  dataset: 'write \'data d from "file" { x: f32[*, 4] }\'',
};
