import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { SHIM_SERVICE, shimMethods } from '../../proto/shim.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { createNodeSystem } from '../../runtime/system/node/system.ts';
import { createClient } from '../../runtime/system/rpc/ttrpc-client.ts';
import { createLab, type Lab } from '../support/lab.ts';
import { createLabVolume } from '../support/lab-volumes.ts';
import { QEMUS } from '../support/qemus.ts';
import { within } from '../support/within.ts';

const POOL_MIB = 192;
/** Less than the pod writes. */
const LEFT_MIB = 24;
const WRITTEN_MIB = 40;

let lab: Lab;
let csi: CsiServer;
beforeAll(async () => {
  lab = await createLab();
  const image = join(lab.scratch, 'small-pool.raw');
  await exec('truncate', ['--size', `${POOL_MIB}M`, image]);
  await exec('mkfs.ext4', ['-q', '-m', '0', image]);
  await lab.exec('mount', '-o', 'loop', image, lab.poolDirectory);
  await lab.exec('mkdir', '-p', join(lab.poolDirectory, 'volumes'));
  csi = await lab.csi();
});
afterAll(async () => {
  await csi.stop();
  await lab.close();
});

/** Takes all but a little of the pool's space; answers how to give it back. */
async function fillPool(): Promise<() => Promise<void>> {
  const ballast = join(lab.poolDirectory, 'ballast');
  const free = Number((await lab.exec('df', '--output=avail', '-B1M', lab.poolDirectory)).split('\n')[1]);
  await lab.exec('fallocate', '-l', `${free - LEFT_MIB}M`, ballast);
  return () => rm(`${lab.root}${ballast}`);
}

/** What the pod's shim says is wrong with the volume, as soon as it says so; or that nothing is, again. */
async function awaitProblem(podId: string, volumeId: string, isWanted: (problem: string) => boolean): Promise<string> {
  const { shimSocket } = podPaths(runPaths(lab.runDirectory), podId);
  const shim = createClient(await createNodeSystem().connect(`${lab.root}${shimSocket}`), SHIM_SERVICE, shimMethods);
  try {
    for (;;) {
      const { problem } = await shim.call('measureVolume', { volumeId });
      if (isWanted(problem)) return problem;
      await setTimeout(200);
    }
  } finally {
    shim.close();
  }
}

describe('a pool that is out of space', () => {
  it.each(QEMUS)('stops the VM at the write, is told, and lets it go on with nothing lost (%s)', async (_, flags) => {
    const volume = await createLabVolume(lab, csi, 'thirsty');
    const at = ['--volume', `${volume.target}:/data`, ...flags];
    const makeRoom = await fillPool();
    const script = `echo "writing now"
dd if=/dev/urandom of=/tmp/file bs=1M count=${WRITTEN_MIB} 2>/dev/null
cp /tmp/file /data/file && sync && echo "written $(sha256sum </tmp/file)"`;
    const writer = await lab.start('writer', script, [...at, '--memory', '512']);
    await lab.line(writer, 'writing');
    const waited = awaitProblem('writer', volume.id, (problem) => problem !== '');
    expect(await within('the shim tells', 120_000, waited, async () => writer.stderr())).toMatch(
      /^the pool is out of space: the VM stands still/,
    );
    expect(writer.lines().some((line) => line.startsWith('written'))).toBe(false);
    const { size, blocks } = await stat(`${lab.root}${join(lab.poolDirectory, 'volumes', volume.id, 'image.raw')}`);
    expect(blocks * 512).toBeLessThan(size);

    await makeRoom();
    const sum = await lab.line(writer, 'written');
    expect(await writer.exitCode).toBe(0);

    const reader = await lab.start('reader', 'echo "found $(sha256sum </data/file)"', at);
    expect(await lab.line(reader, 'found')).toBe(sum);
    expect(await reader.exitCode).toBe(0);
    await volume.remove();
    expect(await lab.remains()).toEqual([]);
  });
});
