import { readdir } from 'node:fs/promises';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { programs } from '../support/lab.ts';

const scratchDirectories = async (): Promise<readonly string[]> =>
  (await readdir('/var/tmp')).filter((name) => name.startsWith('berth-scratch-'));

describe('berth demo', () => {
  it('shows the main job and leaves nothing', async () => {
    const before = await scratchDirectories();
    const { exitCode, stdout, stderr } = await execa(process.execPath, [programs.berth, 'demo'], { reject: false });
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/formatted once/);
    expect(stdout).toMatch(/^6 +everything is deleted +\d+ +no process/m);
    expect(await scratchDirectories()).toEqual(before);
  });

  it('leaves nothing when it is interrupted while VMs run', async () => {
    const before = await scratchDirectories();
    const demo = execa(process.execPath, [programs.berth, 'demo'], { reject: false });
    for await (const line of demo) {
      if (line.includes('kernel ')) demo.kill('SIGINT');
    }
    expect((await demo).exitCode).not.toBe(0);
    expect(await scratchDirectories()).toEqual(before);
    expect(await qemuOf(before)).toEqual([]);
  });
});

/** Command lines of VMMs with a disk in a scratch directory that is not among `known`. */
async function qemuOf(known: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await execa('ps', ['-eo', 'args']);
  const lines = stdout.split('\n').filter((line) => line.startsWith('qemu-system') && line.includes('berth-scratch-'));
  return lines.filter((line) => !known.some((name) => line.includes(name)));
}
