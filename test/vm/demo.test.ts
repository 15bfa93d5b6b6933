import { readdir } from 'node:fs/promises';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { programs } from '../support/lab.ts';

/** What the demo keeps on disk, by its process. */
const scratchOf = async (pid: number | undefined): Promise<readonly string[]> =>
  (await readdir('/var/tmp')).filter((name) => name.startsWith(`berth-scratch-${pid}-`));

describe('berth demo', () => {
  it('shows the main job and leaves nothing', async () => {
    const demo = execa(process.execPath, [programs.berth, 'demo'], { reject: false });
    const { exitCode, stdout, stderr } = await demo;
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/formatted once/);
    expect(stdout).toMatch(/^6 +everything is deleted +\d+ +no process/m);
    expect(await scratchOf(demo.pid)).toEqual([]);
  });

  it('leaves nothing when it is interrupted while VMs run', async () => {
    const demo = execa(process.execPath, [programs.berth, 'demo'], { reject: false });
    let scratch: readonly string[] = [];
    for await (const line of demo) {
      if (!line.includes('kernel ')) continue;
      scratch = await scratchOf(demo.pid);
      demo.kill('SIGINT');
    }
    expect((await demo).exitCode).not.toBe(0);
    expect(scratch).toHaveLength(1);
    expect(await scratchOf(demo.pid)).toEqual([]);
    const { stdout: processes } = await execa('ps', ['-eo', 'args']);
    expect(processes).not.toContain(scratch[0]);
  });
});
