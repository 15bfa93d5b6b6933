import { sys } from '../system/native/sys.ts';

/** The program `give-to-group PATH GID`: the agent's own loop must not wait for a tree of any size. */
export function giveToGroup([path = '', gid = '']: readonly string[]): void {
  sys.giveToGroup(path, Number(gid));
}
