import { exec } from '../../runtime/system/node/exec.ts';

/** The namespace that stands for the node: the host ends of the pods' links and the forwarding between them. */
export const PEER = 'peer';

export const netnsPath = (name: string): string => `/run/netns/${name}`;

/** Argument prefix that runs a command in a network namespace. */
export const inNetns = (name: string): readonly string[] => ['nsenter', `--net=${netnsPath(name)}`, '--'];

/** `prefix` enters the world in which the namespace lives. */
export async function addNetns(name: string, prefix: readonly string[]): Promise<void> {
  await ip(prefix, 'netns', 'add', name);
  await ip(prefix, '-n', name, 'link', 'set', 'lo', 'up');
}

export const deleteNetns = (name: string, prefix: readonly string[]): Promise<void> =>
  ip(prefix, 'netns', 'delete', name);

async function ip(prefix: readonly string[], ...args: string[]): Promise<void> {
  const [file = '', ...rest] = [...prefix, 'ip', ...args];
  await exec(file, rest);
}
