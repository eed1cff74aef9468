/** OPT6xx: Data files and checkpoints. */
import type { CatalogEntry } from '../catalog.ts';

export const dataCodes = {
  OPT601: {
    title: 'data file not found',
    about:
      'The path of a `data … from "path"` is read relative to the folder of the `.opt` file that names it. A file given by `--data NAME=PATH` is read relative to the working directory instead.',
    example: {
      wrong: 'data train from "trian.npz" { x: f32[*, 2] }',
      right: 'data train from "train.npz" { x: f32[*, 2] }',
    },
  },
  OPT602: {
    title: 'path of a data file refused',
    about:
      'A `.opt` file may come from someone else, so it can only read files below its own folder or below the working directory, by a relative path with forward slashes. Absolute paths, URLs, paths that leave those folders (also through symbolic links), control characters and special files are refused. You can point at any file yourself: `--data NAME=PATH`.',
    example: {
      wrong: 'data train from "/home/me/train.npz" { x: f32[*, 2] }',
      right:
        'data train from "train.npz" { x: f32[*, 2] }   // and: saddle run spec.opt --data train=/home/me/train.npz',
    },
  },
  OPT603: {
    title: 'unknown named data set',
    about:
      'A source without a dot or a slash names a data set that comes with the project, with an optional split after a colon: mnist:train, mnist:test, mnist-m:train, digits, digits:train, iris, wine, breast-cancer, and others (docs/data.md).',
    example: {
      wrong: 'data d from "minst:train" { x: f32[*, 784] }',
      right: 'data d from "mnist:train" { x: f32[*, 784] }',
    },
  },
  OPT604: {
    title: 'named data set not installed',
    about:
      'MNIST and the sets derived from it are read from optional npm packages. They are installed with the project unless optional packages were left out.',
  },
  OPT605: {
    title: 'damaged data file',
    about:
      'The bytes of the file do not follow its format: a header field is impossible, the content is shorter or longer than the header says, or a checksum does not match. Nothing of a damaged file is used.',
  },
  OPT606: {
    title: 'kind of data file not supported',
    about:
      'The file is legal but of a kind that is not read: Python objects, strings, complex or half precision numbers in npy, encrypted or unusual archives, parquet pages of a rare codec or encoding, images of 16 bits a channel. Convert it, for instance with numpy: `numpy.savez("train.npz", x=x.astype("f4"), y=y.astype("i4"))`.',
  },
  OPT607: {
    title: 'data file too large',
    about:
      'The file, its header, its number of entries or what it decompresses to goes beyond a cap: 2 GiB of content, 200 bytes out for one byte in, 10,000 entries, 100 MB of header. The caps keep a hostile or broken file from exhausting the machine.',
  },
  OPT608: {
    title: 'field or column not in the data',
    about:
      'Each field of a `data` declaration takes the array or column of its own name, or those that it names itself: `y: i32[*] = "label"`, `x: f32[*, 30] = 0..30`. A file of one array without a name (npy, idx) serves exactly one field.',
    example: {
      wrong: 'data d from "points.csv" { x: f32[*, 2], y: i32[*] }',
      right: 'data d from "points.csv" { x: f32[*, 2] = 0..2, y: i32[*] = "class" }',
    },
  },
  OPT609: {
    title: 'declared shape differs from the data',
    about:
      'The first axis of a field is its rows; the numbers of one row must be as many as the declared type says. A row may be regrouped (28 by 28 pixels read as 784), because the order of the numbers is the same. The images of a folder have one size, and the channels that the field declares.',
    example: {
      wrong: 'data d from "mnist:test" { x: f32[*, 768] }',
      right: 'data d from "mnist:test" { x: f32[*, 784] }',
    },
  },
  OPT610: {
    title: 'value outside the declared range',
    about:
      'A field declared `in a..b` promises its values to the program: class labels index tables and losses, so one label too many would read or write elsewhere. The range is checked on every value when the data are loaded.',
  },
  OPT611: {
    title: 'value that the field cannot hold',
    about:
      'A value is missing, NaN or infinite, not a whole number in an i32 field, or too large for the declared type. Such values spread silently through a training, so the file is refused and the first one is named.',
  },
  OPT612: {
    title: 'number of rows does not fit',
    about:
      'All fields of one `data` declaration share their rows, a slice `[a..b]` must lie within them, and the data must still have the number of rows for which the program was compiled.',
  },
  OPT613: {
    title: 'unknown file format',
    about:
      'The format is taken from the end of the name (.npy, .npz, .csv, .tsv, .parquet, .arrow, .feather, .safetensors, .idx, .txt, each of csv, tsv, idx, npy and txt also with .gz) and, without a known ending, from the first bytes. A folder is one of images.',
  },
  OPT614: {
    title: 'malformed table',
    about:
      'Each line of a csv file has as many cells as the others; cells of the columns in use are decimal numbers. A first line with a cell that is no number is taken as the header. Columns of parquet and Arrow files that a field takes hold numbers, or lists of numbers of one length.',
  },
  OPT615: {
    title: 'data file cannot be read',
    about:
      'The operating system refused to open or read the file: missing permission, a failing disk, too many open files.',
  },
  OPT650: {
    title: 'checkpoint damaged',
    about:
      'A checkpoint is a safetensors file with the cells, the results so far and a checksum over both. This one is cut short, altered or was not written by Saddle. Checkpoints are written beside the old one and renamed when complete, so an interrupted save leaves the previous checkpoint intact: look for it under its own name.',
  },
  OPT651: {
    title: 'checkpoint of another program',
    about:
      'A run can only be continued by the program that began it: the cells, their types and the phases must be the same. The message names the first difference. To start a new program from old parameters, read them as data instead.',
  },
  OPT652: {
    title: 'checkpoint of differently compiled code',
    about:
      'The cells and phases fit, but formulas, schedules or the device differ from those that wrote the checkpoint. The run continues, though not bit for bit as it would have.',
  },
  OPT653: {
    title: 'checkpoint or log not written',
    about:
      'The file system refused to write the checkpoint, or the log and the summary beside it: no space, no permission, or a failing disk. The previous checkpoint, if any, is intact.',
  },
  OPT655: {
    title: 'initial values do not fit the model',
    about:
      '`--load Net=weights.safetensors` starts the parameters of a model from a file instead of the values in its text. Every parameter must be in the file under its path within the model (`linear_0.W`, or `Net.linear_0.W`), as f32 (or i32) and in its shape, and the file may hold nothing else for this model: otherwise nothing is loaded, and each mistake is named. States of layers (the running statistics of a batch norm) are taken where the file has them: all of them or none. Tensors under other names are read as data: `data w from "weights.safetensors" { W: f32[*, 64] = "fc.weight" }`, `param W: f32[10, 64] = w.W`.',
  },
  OPT654: {
    title: 'checkpoint of another seed',
    about:
      'A seed was given together with a checkpoint of a run with another seed. A run keeps the seed it was begun with; leave the seed out, or start a new run.',
  },
} satisfies Record<string, CatalogEntry>;
