import { readFileSync } from 'node:fs';

/**
 * `argv` such that it and all it starts die with this process, however that ends: the kernel kills the leader when its
 * parent is gone, and with the leader its PID namespace. Mounts it makes end with it too, in a namespace of their own.
 */
export const contained = (argv: readonly string[]): [program: string, args: string[]] => [
  'setpriv',
  [
    ...['--pdeathsig', 'KILL', 'unshare', '--pid', '--fork', '--kill-child', '--mount', '--mount-proc'],
    ...['--propagation', choosePropagation(readFileSync('/proc/self/mountinfo', 'utf8'))],
    ...argv,
  ],
];

/**
 * In a chroot the root directory is no mount point (proc(5), mountinfo: field 5), and unshare could not change its
 * propagation: there it stays as whoever made the chroot left it.
 */
export const choosePropagation = (mountinfo: string): 'private' | 'unchanged' =>
  mountinfo.split('\n').some((line) => line.split(' ')[4] === '/') ? 'private' : 'unchanged';
