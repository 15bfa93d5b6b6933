import { readFile } from 'node:fs/promises';
import { Fault } from '../../../proto/fault.ts';
import { type Mount, parseMountinfo } from '../mountinfo.ts';

export { type Mount, mountsBelow, parseMountinfo, topmostMount } from '../mountinfo.ts';

/** Mounts of this process's namespace. Read until two reads agree: the kernel gives no snapshot of a long table. */
export async function readMounts(): Promise<Mount[]> {
  let before = await readFile('/proc/self/mountinfo', 'utf8');
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const now = await readFile('/proc/self/mountinfo', 'utf8');
    if (now === before) return parseMountinfo(now);
    before = now;
  }
  throw new Fault('busy', 'the mount table of this host changes faster than it can be read; try again');
}
