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
    ...['sh', '-c', SET_UP, 'sh', ...argv],
  ];
}

const ownPropagation = () => choosePropagation(readFileSync('/proc/self/mountinfo', 'utf8'));

/**
 * The shell stays as process 1 to reap what outlives its parent; `exit` keeps it from giving its place to the command.
 * A mount is shared if what it lies on is (mount_namespaces(7)): a chroot's own mount table does not show its root.
 */
const SET_UP = `
set -e
mount -t tmpfs -o mode=0755 berth-world /run
case $(findmnt --noheadings --output PROPAGATION --source berth-world --target /run | tail -n 1) in
*shared*)
  umount /run
  echo "berth: mounts in this chroot are shared with its host, so nothing can be kept apart from it; on the host, make" \
    "the chroot's directory a mount (mount --bind DIR DIR), and enter it again" >&2
  exit 1
esac
mkdir -m 1777 /run/tmp
export TMPDIR=/run/tmp
ip link set lo up
set +e
"$@"
exit $?
`;
