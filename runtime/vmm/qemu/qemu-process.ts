import { Fault } from '../../../proto/fault.ts';
import { failpoint } from '../../system/failpoint.ts';
import { attempt } from '../../system/native/errors.ts';
import { type Child, spawnChild } from '../../system/native/process.ts';
import { O, SIG, sys } from '../../system/native/sys.ts';
import type { System } from '../../system/port.ts';
import { trace } from '../../system/trace.ts';
import { encodeJailRequest } from '../jail/request.ts';
import type { StartOptions, VmExit, VmSpec } from '../port.ts';
import { planArgs } from './args.ts';
import { findQemu, type QemuProgram } from './binary.ts';
import { closeDescriptors, openDescriptors, planDescriptors } from './descriptors.ts';

/** Enough for QEMU's longest complaint. */
const LAST_WORDS_BYTES = 2000;
const READABLE_FOR_OTHERS = 0o004;

/** A QEMU that runs, whatever it makes of its command line. */
export interface QemuProcess {
  readonly pid: number;
  readonly exited: Promise<VmExit>;
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
}

/**
 * Its sockets listen before QEMU exists: whoever connects is answered, or turned away at QEMU's death, and nobody has to
 * poll. QEMU gets a session of its own, so that Ctrl-C at a terminal is not its business.
 */
export function spawnQemu(
  system: System,
  { binary, jail }: QemuProgram,
  spec: VmSpec,
  options: StartOptions,
): QemuProcess {
  const program = findQemu(binary);
  for (const path of [spec.kernel, spec.initrd]) checkReadable(path);
  const flags = O.WRONLY | O.CREAT | O.TRUNC;
  const log = attempt(`could not open ${options.log}`, () => sys.open(options.log, flags, 0o600));
  const open = [log];
  try {
    open.push(...openDescriptors(spec));
    const fds = [-1, log, ...open, ...options.held];
    const descriptors = planDescriptors(spec, options.held.length);
    const request = planRequest(program, spec, options, fds.length);
    const args = planArgs(spec, descriptors);
    trace('vmm')?.('QEMU', { program, args });
    const child = spawnChild({
      argv: [...jail, encodeJailRequest(request), ...args],
      fds,
      setsid: true,
      ...(options.netns === undefined ? {} : { netns: options.netns }),
      ...(options.endsWithParent === true ? { parentDeathSignal: SIG.KILL } : {}),
    });
    failpoint('vmm.spawned');
    return toProcess(child, () => readLastWords(system, options.log));
  } finally {
    closeDescriptors(open);
  }
}

function planRequest(
  program: string,
  { kernel, initrd, shares, accelerator, nics }: VmSpec,
  { endsWithParent = false }: StartOptions,
  inherited: number,
) {
  return {
    program,
    guest: { kernel, initrd },
    shares: shares.map(({ id, path }) => ({ id, path })),
    kvm: accelerator === 'kvm',
    inherited,
    taps: nics.map(({ device }) => device),
    endsWithParent,
  };
}

/** QEMU opens it as a user of its own. */
function checkReadable(path: string): void {
  const stat = attempt(`could not look at ${path}`, () => sys.stat(path));
  if (stat === null) throw new Fault('not-found', `there is no ${path}`, { fields: { path } });
  if ((stat.mode & READABLE_FOR_OTHERS) !== 0) return;
  const message = `the VMM, which is a user of its own, could not read ${path}; chmod o+r ${path}`;
  throw new Fault('precondition', message, { fields: { path } });
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
  const log = await system.readTail(path, LAST_WORDS_BYTES).catch(() => undefined);
  return new TextDecoder().decode(log).trim();
}
