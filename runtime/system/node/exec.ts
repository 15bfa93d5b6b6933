import { constants } from 'node:os';
import { execa } from 'execa';
import { Fault } from '../../../proto/fault.ts';
import type { Command, Completed } from '../port.ts';
import { errorCode } from './errno.ts';

/** Which Debian package brings a program: for the way out in the error when it is missing. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  blkid: 'util-linux',
  crun: 'crun',
  flock: 'util-linux',
  ip: 'iproute2',
  losetup: 'mount',
  'mkfs.btrfs': 'btrfs-progs',
  'mkfs.erofs': 'erofs-utils',
  'mkfs.ext4': 'e2fsprogs',
  'mkfs.xfs': 'xfsprogs',
  mmdebstrap: 'mmdebstrap',
  mount: 'mount',
  nsenter: 'util-linux',
  'qemu-system-x86_64': 'qemu-system-x86',
  tc: 'iproute2',
  umount: 'mount',
  unshare: 'util-linux',
};
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface NodeCommand extends Command {
  /** Open files of this process that the child gets as descriptors 3, 4, ... */
  readonly descriptors?: readonly number[];
  /** Aborted: the child is killed. */
  readonly signal?: AbortSignal;
}

/** Runs a program to its end, without a shell. A non-zero exit is an answer; `environment` if there is no such program. */
export async function run(command: NodeCommand): Promise<Completed> {
  const { file, args, stdin, cwd, timeoutMs, signal, descriptors = [] } = command;
  // execa passes any descriptor on, but its types know 3 to 9 only.
  const result = await execa(file, args, {
    reject: false,
    encoding: 'buffer',
    stripFinalNewline: false,
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(descriptors as readonly 3[])],
    ...(stdin === undefined ? {} : { input: stdin }),
    extendEnv: false,
    env: command.env ?? { ...process.env, PATH: process.env['PATH'] || SYSTEM_PATH, LC_ALL: 'C' },
    ...(cwd === undefined ? {} : { cwd }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    ...(signal === undefined ? {} : { cancelSignal: signal }),
    killSignal: 'SIGKILL',
  });
  const output = { stdout: bytesOf(result.stdout), stderr: bytesOf(result.stderr) };
  if (result.timedOut) {
    const fields = { file, timeoutMs: timeoutMs ?? 0, stderr: tail(output.stderr) };
    throw new Fault('timeout', `${file} did not end within ${timeoutMs} ms and was killed`, { fields });
  }
  if (result.signal !== undefined) return { exitCode: 128 + constants.signals[result.signal], ...output };
  if (result.exitCode !== undefined) return { exitCode: result.exitCode, ...output };
  throw notStarted(file, cwd, result.cause);
}

/** Runs a program that must succeed and answers what it printed. Fault `exec` carries the exit status and stderr. */
export async function exec(file: string, args: readonly string[], options: Partial<NodeCommand> = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await run({ ...options, file, args });
  if (exitCode === 0) return new TextDecoder().decode(stdout);
  const said = tail(stderr);
  throw new Fault('exec', `${file} failed with status ${exitCode}${said === '' ? '' : `: ${said}`}`, {
    fields: { file, exitCode, stderr: said },
  });
}

function notStarted(file: string, cwd: string | undefined, cause: unknown): Fault {
  if (errorCode(cause) !== 'ENOENT')
    return new Fault('exec', `${file} could not be started`, { fields: { file }, cause });
  const name = file.slice(file.lastIndexOf('/') + 1);
  const debianPackage = PACKAGE_OF[name];
  const wayOut = debianPackage === undefined ? '' : `; Debian's package ${debianPackage} brings it`;
  const where = cwd === undefined ? '' : ` (or its directory ${cwd} is missing)`;
  return new Fault('environment', `the program ${file} is not installed${where}${wayOut}`, { fields: { file }, cause });
}

function bytesOf(output: unknown): Uint8Array {
  return output instanceof Uint8Array ? output : new Uint8Array();
}

/** The end of what a program said, short enough for an error message. */
function tail(stderr: Uint8Array): string {
  return new TextDecoder().decode(stderr.subarray(-2000)).trim();
}
