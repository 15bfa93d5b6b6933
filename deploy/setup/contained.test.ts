import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { choosePropagation, contained } from './contained.ts';

let parent: ChildProcess | undefined;

afterEach(() => parent?.kill('SIGKILL'));

/** A Node process that runs `script` contained, with our standard output as the script's. */
function startParent(script: string): ChildProcess {
  const [program, args] = contained(['sh', '-c', script]);
  const source = `require('node:child_process').spawn(${JSON.stringify(program)}, ${JSON.stringify(args)}, { stdio: 'inherit' })`;
  return spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
}

describe('contained', () => {
  it('ends all that the program started when its parent is killed', async () => {
    parent = startParent('trap "" INT TERM HUP; (trap "" INT TERM HUP; sleep 600) & echo started; wait');
    const { stdout } = parent;
    if (stdout === null) throw new Error('no standard output');
    await once(stdout, 'data');
    parent.kill('SIGKILL');
    // The pipe closes when the last process that inherited it is gone.
    await once(stdout, 'close');
  });

  it('passes arguments and exit status on', () => {
    const [program, args] = contained(['sh', '-c', 'echo "$1"; exit 3', 'sh', 'a b']);
    let caught: unknown;
    try {
      execFileSync(program, args, { encoding: 'utf8' });
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject({ status: 3, stdout: 'a b\n' });
  });

  it.each([
    ['26 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw', 'private'],
    ['26 1 0:30 /chroot / rw - ext4 /dev/vda rw\n27 26 0:21 / /proc rw - proc proc rw', 'private'],
    ['27 26 0:21 / /proc rw - proc proc rw', 'unchanged'],
  ])('keeps its mounts to itself where the root is a mount point: %s', (mountinfo, propagation) => {
    expect(choosePropagation(mountinfo)).toBe(propagation);
  });
});
