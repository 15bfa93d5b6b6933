import { readFileSync } from 'node:fs';
import { choosePropagation } from '../setup/contained.ts';

/**
 * A private world: a command in mount, network and PID namespaces of its own, with fresh /proc and /run. When the
 * command ends or its parent dies, the kernel ends every process, mount and interface in it. In a chroot whose mounts
 * are shared with the host it would not be private, and says so instead.
 */
export function worldCommand(argv: readonly string[], propagation = ownPropagation()): readonly string[] {
  return [
    ...['setpriv', '--pdeathsig', 'KILL'],
    ...['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', propagation],
    ...(propagation === 'unchanged' ? ['sh', '-c', LEAVE_CHROOT, 'sh'] : []),
    ...['sh', '-c', SET_UP, 'sh', ...argv],
  ];
}

const ownPropagation = () => choosePropagation(readFileSync('/proc/self/mountinfo', 'utf8'));

/** The shell stays as process 1 to reap what outlives its parent; `exit` keeps it from giving its place to the command. */
const SET_UP = `
set -e
mount -t tmpfs -o mode=0755 berth-world /run
mkdir -m 1777 /run/tmp
export TMPDIR=/run/tmp
ip link set lo up
set +e
"$@"
exit $?
`;

/**
 * Runs "$@" with a root that is a mount, private like all below it, in place of one that is not: ip(8) wants that too.
 * What is mounted on a shared mount is shared (mount_namespaces(7)), which is how the chroot's own can be told.
 */
const LEAVE_CHROOT = `
set -e
mount -t tmpfs -o mode=0755 berth-root /run
case $(findmnt --noheadings --output PROPAGATION --source berth-root --target /run | tail -n 1) in
*shared*)
  umount /run
  echo "berth: mounts in this chroot are shared with its host, so nothing can be kept apart from it; on the host, make" \\
    "the chroot's directory a mount (mount --bind DIR DIR), and enter it again" >&2
  exit 1
esac
mkdir /run/root
mount --rbind / /run/root
mount --make-rprivate /run/root
exec chroot /run/root "$@"
`;
