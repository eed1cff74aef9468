/** OPT44x: problems, their classes and their solvers. */
import type { CatalogEntry } from '../catalog.ts';

export const problemCodes = {
  OPT440: {
    title: 'problem without an objective of its own',
    about:
      'Every level of a problem has objectives (`minimize F: e`), or players with one each. A level that has both would leave open whose its objectives are.',
    example: {
      wrong: 'where y solves { over y: f32 = 0 }',
      right: 'where y solves {\n  over y: f32 = 0\n  minimize (y - x)^2\n}',
    },
  },
  OPT441: {
    title: 'variable without one owner',
    about:
      'Every variable of a problem is moved by one level or by one player. A variable that two of them move, that no player moves, or that the head of its level does not name would make the problem another one than it looks like.',
    example: {
      wrong: 'player a moves x minimizes x * y\nplayer b moves x maximizes x * y',
      right: 'player a moves x minimizes x * y\nplayer b moves y maximizes x * y',
    },
  },
  OPT442: {
    title: 'unknown class of problems, or a header that does not fit it',
    about:
      'A solver names the class of problems that it takes, and gives names of its own to the parts of the class by their position: trees of variables, then objectives and constraints.',
    example: { wrong: 'solver s() for smoth (x; f) { … }', right: 'solver s() for smooth (x; f) { … }' },
  },
  OPT443: {
    title: 'a solver of another class of problems',
    about:
      'The problem lacks something that the solver moves or reads, or has something (a constraint, a set, a level, a player) that the solver would leave out of account without a word.',
    example: {
      wrong: 'solve constrained_problem by descent()',
      right: 'solve constrained_problem by augmented_lagrangian()',
    },
  },
  OPT444: {
    title: 'a solve that ends after a write, or inside of a loop',
    about:
      '`stop when` and `fail when` stand among the statements of a solver, or in an `if`, `every`, `for` or `first` there, and end the solve where they stand. A turn of `repeat` or `while` is no step: compute the condition there in a variable, and ask it behind the loop. What was reported above them is recorded, and nothing may have been written above them, so that the step that ends has changed nothing.',
    example: { wrong: 'x <- x - d\nstop when norm(d) < 1e-6', right: 'stop when norm(d) < 1e-6\nx <- x - d' },
  },
  OPT445: {
    title: 'multipliers of no constraint, of another shape, or of the wrong sign',
    about:
      '`multipliers g = e` publishes one number for each residual of a constraint that the header of the solver names. Those of inequalities are never negative, in whichever direction the constraint is written.',
    example: { wrong: 'multipliers x = lam', right: 'multipliers g = lam' },
  },
  OPT446: {
    title: 'no problem, or no solver, to solve',
    about: '`solve P by S` takes a problem and one solver with its arguments. Rules are given to solvers.',
    example: { wrong: 'solve p by adam(1e-3) for 100', right: 'solve p by descent(adam(1e-3)) for 100' },
  },
  OPT447: {
    title: 'a part of a problem that reads nothing that is moved',
    about:
      'An objective that depends on none of the variables of its level or player, a constraint on no variable, and a variable that nothing reads make no method fail: the problem is only another one than was meant. Usually a name is wrong, or a value was computed outside of the problem, where it does not follow the variables.',
    example: {
      wrong: 'over x: f32 = 0\nminimize (y - 1)^2',
      right: 'over x: f32 = 0\nminimize (x - 1)^2',
    },
  },
  OPT448: {
    title: 'a part of the problem that its solver leaves out',
    about:
      'The header of a solver names variables that its body never moves, or objectives or constraints that it never reads. The problem is taken, and solved without them. A header may leave constraints off, and then a problem with constraints is refused.',
    example: {
      wrong: 'solver s() for inequality (x; f, g) { x <- x - 0.1 * grad(f, x) }',
      right: 'solver s() for smooth (x; f) { x <- x - 0.1 * grad(f, x) }',
    },
  },
  OPT449: {
    title: 'parts of a problem that say the same, or nothing to each other',
    about:
      'A constraint that is written twice, two players who want the same, players who read nothing of each other, a level whose answer nobody reads or which reads nothing of the level above: solvers run, and the problem is another one than it looks like.',
    example: {
      wrong: 'player a moves x minimizes x * y\nplayer b moves y minimizes x * y',
      right: 'player a moves x minimizes x * y\nplayer b moves y maximizes x * y',
    },
  },
} as const satisfies Record<string, CatalogEntry>;
