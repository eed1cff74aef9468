/** OPT8xx: The command line and the session API. */
import type { CatalogEntry } from '../catalog.ts';

export const callCodes = {
  OPT801: {
    title: 'wrong command line',
    about:
      'A command, an option or an argument is not one that `saddle` knows, or an option lacks its value. `saddle --help` lists the commands, `saddle COMMAND --help` the options of one.',
    example: { wrong: 'saddle run spec.opt --step 100', right: 'saddle run spec.opt --steps 100' },
  },
  OPT802: {
    title: 'unknown name after --set',
    about:
      '`--set NAME=VALUE` replaces the value of a `dim` or `hyper` declared in the spec. Other names, such as `let`s and models, cannot be set from outside.',
    example: {
      wrong: 'saddle run spec.opt --set learning_rate=0.1   // the spec says: hyper lr',
      right: 'saddle run spec.opt --set lr=0.1',
    },
  },
  OPT803: {
    title: 'wrong value of an option',
    about:
      'The value of an option is of the wrong kind: a dim takes a whole number from 1, a hyper a decimal number, `--steps` and `--seed` a whole number from 0, `--data` and `--set` a text NAME=VALUE.',
    example: { wrong: 'saddle run spec.opt --set B=many', right: 'saddle run spec.opt --set B=64' },
  },
  OPT804: {
    title: 'file of the command line not found',
    about: 'A path given to a command does not exist, or cannot be read or written.',
  },
  OPT805: {
    title: 'no spec to work on',
    about:
      'A folder given to `saddle test`, `check` or `fmt` is searched for files that end in .opt; none was found there.',
  },
  OPT806: {
    title: 'nothing of that name to explain',
    about:
      '`saddle explain FILE --stage STAGE` prints a program as it is after a stage of the compiler; `saddle explain CODE` the meaning of a diagnostic. The stages are ast, updates, program, graph, optimized, kernels, wgsl, plan and cost.',
  },
  OPT807: {
    title: 'unknown name after --data',
    about:
      '`--data NAME=PATH` replaces the file or set of a `data NAME from "…"` declaration of the spec by one of your own.',
  },
  OPT808: {
    title: 'nothing to resume',
    about:
      '`--resume` continues a run from its run folder (or from a checkpoint in it); without a folder it takes the latest run of the spec. A run writes its checkpoint after five seconds, about once a minute, when it is interrupted, and at its end.',
  },
  OPT809: {
    title: 'run folder cannot be written',
    about:
      'The folder of `--out` (default: runs/NAME-N in the working directory) cannot be made or written, or holds another run.',
  },
  OPT810: {
    title: 'no run to show',
    about:
      '`saddle runs` compares run folders: those given, or those below runs/ in the working directory. None was found there.',
  },
  OPT850: {
    title: 'unknown name in a session call',
    about:
      'A session was asked for a model, a cell or an exported function that the program does not have. Models go by their name, with the run before it where the file has runs (`dann.Features`); cells by their id, as `saddle explain FILE --stage plan` lists them.',
  },
  OPT851: {
    title: 'unknown or unusable hyper',
    about:
      'A hyper was given a value from outside, and the program has no hyper of that name, or the value is no finite number. Only names declared with `hyper` can be set when a program runs; a `dim` is set when it is compiled.',
  },
  OPT852: {
    title: 'wrong argument of a session call',
    about:
      'A value handed to the session API has the wrong length or kind. Tensors are flat, row-major arrays of as many numbers as the declared shape says.',
  },
} satisfies Record<string, CatalogEntry>;
