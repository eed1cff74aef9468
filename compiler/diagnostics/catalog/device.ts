/** OPT7xx: Devices, drivers and what happens while a program runs. */
import type { CatalogEntry } from '../catalog.ts';

export const deviceCodes = {
  OPT701: {
    title: 'no device',
    about:
      'No WebGPU adapter was found: neither a graphics card nor a software driver. Saddle looks for a hardware adapter, then for the system’s Vulkan drivers (Mesa lavapipe), then for SwiftShader from the optional npm package @sparticuz/chromium. The message names the cause that was found and the command that mends it; `saddle doctor` shows all that was tried. `--device reference` runs without any device, slowly.',
  },
  OPT702: {
    title: 'unknown device choice',
    about:
      'SADDLE_DEVICE and --device take auto, gpu, hardware, lavapipe, swiftshader or reference. `gpu` is any WebGPU adapter, `hardware` refuses software drivers, `lavapipe` and `swiftshader` force one of these, `reference` is the float64 interpreter.',
  },
  OPT703: {
    title: 'device limit exceeded',
    about:
      'The compiled program needs more of the device than it grants: a buffer or binding larger than its limit, more storage buffers in one kernel, a larger workgroup, or a feature that it lacks. A wrong dispatch would fail silently on WebGPU, so this is checked before anything runs. Smaller batches or models need less; compiling for this device (not for another) chooses kernels that fit.',
  },
  OPT704: {
    title: 'device lost',
    about:
      'The connection to the device ended while the program ran: the driver was reset, the device was removed, or a submission ran longer than the operating system allows. What ran since the last checkpoint is lost; the run can be resumed from that checkpoint.',
  },
  OPT705: {
    title: 'device refused a command',
    about:
      'The driver reported a validation error. WebGPU would go on and compute zeros, so Saddle stops. The program’s kernels are made by the compiler, so this is likely to be a bug of ours or of the driver: please report it with the message.',
  },
  OPT706: {
    title: 'kernel not accepted by the driver',
    about:
      'A compiled kernel was refused by the driver’s shader compiler. The kernels are made by Saddle, so this is a bug of ours or of the driver: please report it with the message.',
  },
  OPT707: {
    title: 'device out of memory',
    about:
      'A buffer of the program could not be allocated. The message names the buffer and its size; `saddle explain FILE --stage plan` prints the memory plan. Smaller batches need less memory.',
  },
  OPT708: {
    title: 'run-time check failed',
    about:
      'A check that the compiler could not decide failed on the device: an index out of range in a gather, a dynamic slice or an update. Out of range is an error in Saddle, never a clamp. The message names the expression; steps are submitted in groups, so it names the group of steps.',
  },
  OPT709: {
    title: 'value not finite',
    about:
      'An objective, report, metric or cell became NaN or infinite, or values from which nothing can be drawn (weights that are all 0 or not a number, a probability above 1). The run ends there, because everything computed from it is meaningless. The usual causes are a step size that is too large, the logarithm or a division at zero, or an exponential that overflows. A run that may do so is declared with `may fail`.',
    example: { wrong: 'report loss = log(0 * p)', right: 'report loss = log(max(p, 1e-6))' },
  },
  OPT710: {
    title: 'device too slow to answer',
    about:
      'The device did not finish one submission within the time limit. Saddle emits only counted loops and keeps submissions short, so a driver that hangs is the likely cause. Another driver can be chosen with --device.',
  },
  OPT711: {
    title: 'data do not fit the program',
    about:
      'The program was compiled for a data set of a certain number of rows and fields, and something else was handed to the session: a field is missing or its length differs.',
  },
  OPT712: {
    title: 'not a bundle of this version',
    about:
      'A compiled bundle belongs to the version of Saddle that made it. This one is of another version or is no bundle at all: compile the source again.',
  },
  OPT713: {
    title: 'resumed run differs',
    about:
      '`saddle verify --resume` has taken a run through a checkpoint and found other bits than in the run without. Either the driver does not compute the same twice, or this is a bug of Saddle.',
  },
  OPT714: {
    title: 'device differs from the reference',
    about:
      '`saddle verify --targets` has executed the same step, from the same state, on the device and in the float64 reference interpreter, and a value is further off than rounding explains. The message names the first tensor of the computation that differs. Where the computation is ill conditioned by itself (a difference of nearly equal numbers), `--tolerance` widens what is accepted.',
  },
  OPT715: {
    title: 'gradient differs from finite differences',
    about:
      '`saddle verify --gradients` compares the derivative of each objective along random directions with central differences in float64. An objective with a jump (a rounding, a comparison) at the very point is the one innocent cause; else it is a bug of Saddle.',
  },
} satisfies Record<string, CatalogEntry>;
