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
  'by', 'minimizing', 'maximizing', 'along', 'with', 'at', 'as', 'over', 'until', 'max', 'from', 'for', 'in', 'fails', 'within', 'gradient', 'solves',
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

/** Form of each statement, by the grammar rule that parses it. */
export const forms: Record<string, string> = {
  useDeclaration: 'use nn { linear, relu }',
  constantDeclaration: 'dim N = 10, hyper lr = 0.1, axis clients = 20',
  dataDeclaration: 'data d from "file" { x: f32[*, 4] } or data d = { x: e }',
  cellDeclaration: 'var x: f32[n] = 0 or param W: f32[n, m] ~ glorot',
  layerDeclaration: 'layer L(x: f32[n, i]) -> f32[n, o] { … }',
  modelDeclaration: 'model M = Layer or model M(x: f32[n, 4]) { … }',
  fnDeclaration: 'fn f(x) = e or fn f(x) { … }',
  ruleDeclaration: 'rule r(lr = 0.1) for (p, g) { … }',
  estimatorDeclaration: 'estimator e(eps = 1e-3) for (L, P) { … } or aggregator a() for (Gs, P) { … }',
  solverDeclaration: 'solver s(tol = 1e-3) for bilevel (x, y; F, f) { … }',
  classDeclaration: 'class c (x, y; F, f) { … }',
  setDeclaration: 'set s(lo, hi) for x { project = e; contains = e }',
  problemDeclaration: 'problem p { over x: f32[2] = 0; minimize e }',
  trialDeclaration: 'trial t(a, b = 1) { … } or trial u = t(b: 2)',
  runDeclaration: 'run r = t(1) or run r = solve p by s() for 100',
  letStatement: 'let x = e, let (a, b) = e or let h[l + 1] = e',
  sampleStatement: 'sample z ~ normal(0, 1) f32[n] or sample z ~ normal like P',
  batchStatement: 'batch b = D[64]',
  updateStatement: 'update P by rule(…) minimizing L with estimator(…), or along d',
  trainStatement: 'train 100 as name { … } or train until C max N { … }',
  evalStatement: 'eval every 100 over D as e { metric m = … }',
  metricStatement: 'metric m = e',
  reportStatement: 'report a, b = e',
  expectStatement: 'expect a >= b over seeds 1..=3 or expect r fails "why"',
  repeatStatement: 'repeat n as i { … }',
  whileStatement: 'while C max N { … }',
  forStatement: 'for i in 0..n { … }',
  everyStatement: 'every n { … }',
  firstStatement: 'first { … } or together { … }',
  endWhenStatement: 'stop when C or fail when C as "reason"',
  multipliersStatement: 'multipliers g = e',
  overStatement: 'over x: f32[n] in SET = init',
  objectiveStatement: 'minimize F: e',
  constraintStatement: 'subject to name: a == b',
  lowerLevelStatement: 'where y solves { … }',
  playerStatement: 'player A moves X, Y minimizes e',
};

/** Words that other languages put where an infix keyword stands here, and what is written instead. */
export const foreignInfix: Record<string, string> = {
  elif: "write 'else if c { … }'",
  elsif: "write 'else if c { … }'",
  otherwise: "write 'else { … }'",
  do: "the body follows directly: 'repeat 10 { … }'",
  replace: "write 'D[64] replacement'",
  mayfail: "write 'may fail'",
  using: "write 'by' for a rule or solver, 'with' for an estimator",
  wrt: "write 'grad(L, P)'",
  is: "write '=='",
  isnt: "write '!='",
  xor: "write 'a != b'",
  minimising: "write 'minimizing'",
  maximising: "write 'maximizing'",
  minimises: "write 'minimizes'",
  maximises: "write 'maximizes'",
  minimize: "write 'minimizing' behind the rule",
  maximize: "write 'maximizing' behind the rule",
};
