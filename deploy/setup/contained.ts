/**
 * `argv` such that it and all it starts die with this process, however that ends: the kernel kills the leader when its
 * parent is gone, and with the leader its PID namespace. Mounts it makes end with it too, in a namespace of their own.
 */
export const contained = (argv: readonly string[]): [program: string, args: string[]] => [
  'setpriv',
  [
    ...['--pdeathsig', 'KILL'],
    ...['unshare', '--pid', '--fork', '--kill-child', '--mount', '--mount-proc', '--propagation', 'private'],
    ...argv,
  ],
];
