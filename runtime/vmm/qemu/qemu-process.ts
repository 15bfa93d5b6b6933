import { failpoint } from '../../system/failpoint.ts';
import { attempt } from '../../system/native/errors.ts';
import { type Child, spawnChild } from '../../system/native/process.ts';
import { O, SIG, sys } from '../../system/native/sys.ts';
import { openListeningSocket } from '../../system/native/unix-socket.ts';
import type { System } from '../../system/port.ts';
import { trace } from '../../system/trace.ts';
import type { StartOptions, VmExit, VmSpec } from '../port.ts';
import { planArgs } from './args.ts';
import { withHint } from './binary.ts';

/** Enough for QEMU's longest complaint. */
const LAST_WORDS_BYTES = 2000;
/** Standard input, output and error come before what the child inherits. */
const CONTROL_DESCRIPTOR = 3;

/** A QEMU that runs, whatever it makes of its command line. */
export interface QemuProcess {
  readonly pid: number;
  readonly exited: Promise<VmExit>;
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
}

/**
 * The control socket listens before QEMU exists: whoever connects is answered, or turned away at QEMU's death, and nobody
 * has to poll. QEMU gets a session of its own, so that Ctrl-C at a terminal is not its business.
 */
export function spawnQemu(system: System, binary: string, spec: VmSpec, options: StartOptions): QemuProcess {
  const flags = O.WRONLY | O.CREAT | O.TRUNC;
  const log = attempt(`could not open ${options.log}`, () => sys.open(options.log, flags, 0o600));
  try {
    const control = openListeningSocket(spec.controlSocket);
    try {
      const argv = [binary, ...planArgs(spec, { control: CONTROL_DESCRIPTOR })];
      trace('vmm')?.('QEMU', { argv });
      const child = spawnChild({
        argv,
        fds: [-1, log, log, control, ...options.held],
        setsid: true,
        ...(options.netns === undefined ? {} : { netns: options.netns }),
        ...(options.endsWithParent === true ? { parentDeathSignal: SIG.KILL } : {}),
      });
      failpoint('vmm.spawned');
      return toProcess(child, () => readLastWords(system, options.log));
    } finally {
      sys.close(control);
    }
  } catch (error) {
    throw withHint(error, binary);
  } finally {
    sys.close(log);
  }
}

function toProcess(child: Child, lastWords: () => Promise<string>): QemuProcess {
  let isGone = false;
  const exited = child.exited.then(async ({ code, signal }) => {
    isGone = true;
    return { code, signal, lastWords: await lastWords() };
  });
  return {
    pid: child.pid,
    exited,
    async kill() {
      // A pid that was reaped may be another process by now.
      if (!isGone) sys.kill(child.pid, SIG.KILL);
      await exited;
    },
  };
}

/** The end of what QEMU wrote to its log; empty if that cannot be read, for it only explains an exit. */
export async function readLastWords(system: System, path: string): Promise<string> {
  const log = await system.readFile(path).catch(() => undefined);
  return new TextDecoder().decode(log?.slice(-LAST_WORDS_BYTES)).trim();
}
