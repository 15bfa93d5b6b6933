import { type DeviceNumber, toDeviceNumber } from '../../system/device-number.ts';
import { attempt } from '../../system/native/errors.ts';
import { searchPath } from '../../system/native/process.ts';
import { CLONE, S_IF, S_IFMT, sys } from '../../system/native/sys.ts';
import { checkCapabilities } from './capabilities.ts';
import { claimDevice } from './claim.ts';
import { dropPrivileges } from './drop-privileges.ts';
import { type Entry, type JailHost, LOADER_CACHE, planJail, SYSTEM_DIRECTORIES } from './plan.ts';
import type { JailRequest } from './request.ts';
import { enterRoot, leaveMounts } from './root.ts';
import { openTap } from './tap.ts';

/**
 * First of a range that no other uses: above what systemd hands out, below what does not fit in 31 bits
 * (https://systemd.io/UIDS-GIDS). Pids have at most 22 bits.
 */
const FIRST_UID = 0x7000_0000;

/**
 * Turns this process, which a shim started as root in the pod's network namespace, into the VMM: with a user of its
 * own, whom no account belongs to and no other VMM of this PID namespace has while it lives, and nothing of the host
 * but what it was handed. Process and start time stay the same.
 */
export function enterJail(request: JailRequest, args: readonly string[]): never {
  const { program, inherited, endsWithParent } = request;
  checkCapabilities(sys.utf8Decode(sys.readFile('/proc/self/status')), request.taps.length > 0);
  const plan = planJail(request, readHost());
  const uid = FIRST_UID + sys.getpid();
  leaveMounts();
  const claims = request.taps.map(({ name }) => claimDevice(name));
  const taps = request.taps.flatMap(openTap);
  leaveNamespaces(taps.length > 0);
  const path = searchPath();
  enterRoot(plan, uid);
  dropPrivileges({ uid, kept: plan.kept, endsWithParent });
  return attempt(`could not start ${program} as user ${uid}; it must be readable and executable for others`, () =>
    sys.exec({
      argv: [program, ...args],
      fds: [...Array.from({ length: inherited }, (_, fd) => fd), ...taps, ...claims],
      env: [`PATH=${path}`, 'LC_ALL=C'],
    }),
  );
}

/** What the host shares without a file is not for the VMM: System V objects and, if it has no TAP, the network. */
function leaveNamespaces(hasTaps: boolean): void {
  attempt('could not make an IPC and a network namespace for the VMM', () =>
    sys.unshare(hasTaps ? CLONE.NEWIPC : CLONE.NEWIPC | CLONE.NEWNET),
  );
}

function readHost(): JailHost {
  return {
    entries: Object.fromEntries(SYSTEM_DIRECTORIES.map((path) => [path, readEntry(path)])),
    hasLoaderCache: sys.stat(LOADER_CACHE) !== null,
    kvm: readDevice('/dev/kvm'),
  };
}

function readEntry(path: string): Entry {
  const type = (sys.lstat(path)?.mode ?? 0) & S_IFMT;
  if (type === S_IF.LNK) return { link: sys.readlink(path) };
  return type === S_IF.DIR ? 'directory' : null;
}

function readDevice(path: string): DeviceNumber | null {
  const rdev = sys.stat(path)?.rdev;
  return rdev === undefined ? null : toDeviceNumber(rdev);
}
