/**
 * A private world: a command in mount, network and PID namespaces of its own, with fresh /proc and /run. When the
 * command ends or its parent dies, the kernel ends every process, mount and interface in it.
 */
export function worldCommand(argv: readonly string[]): readonly string[] {
  return [
    ...['setpriv', '--pdeathsig', 'KILL'],
    ...['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'],
    ...['sh', '-c', SET_UP, 'sh', ...argv],
  ];
}

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
