import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { createLab, type Lab, type LabPod } from '../support/lab.ts';
import { createLabVolume } from '../support/lab-volumes.ts';
import { QEMUS } from '../support/qemus.ts';

let lab: Lab;
let csi: CsiServer;
beforeAll(async () => {
  lab = await createLab();
  csi = await lab.csi();
});
afterAll(async () => {
  await csi.stop();
  await lab.close();
});

const ROUND_MIB = 2;
/** Writes and syncs again and again; says of each round how many hundredths of a second it took. */
const WRITER = `trap 'exit 0' TERM
now() { read up _ </proc/uptime; echo "\${up%.*}\${up#*.}"; }
round=0
while :; do
  round=$((round + 1)); start=$(now)
  dd if=/dev/zero of=/data/file bs=64k count=${(ROUND_MIB << 20) / (64 << 10)} conv=fsync 2>/dev/null
  echo "round-$round $(( $(now) - start ))"
done`;

/** The time of the quicker of two rounds that began after the call, in seconds. */
async function quickerRound(pod: LabPod): Promise<number> {
  const done = pod.lines().filter((line) => line.startsWith('round-')).length;
  const rounds = [2, 3].map((offset) => lab.line(pod, `round-${done + offset}`));
  return Math.min(...(await Promise.all(rounds)).map(Number)) / 100;
}

const limit = (volumeId: string, parameters: Readonly<Record<string, string>>): Promise<unknown> =>
  csi.client.call('Controller', 'ControllerModifyVolume', { volume_id: volumeId, mutable_parameters: parameters });

describe('the limits of a volume', () => {
  it.each(QEMUS)('slow it down while it runs, hold for the next VM, and go again (%s)', async (_, flags) => {
    const volume = await createLabVolume(lab, csi, 'limited');
    const at = ['--volume', `${volume.target}:/data`, ...flags];
    const first = await lab.start('first', WRITER, at);
    const unlimited = await quickerRound(first);
    await limit(volume.id, { bandwidth: '1Mi' });
    const limited = await quickerRound(first);
    expect(limited).toBeGreaterThan(3 * unlimited);
    await first.end();

    const second = await lab.start('second', WRITER, at);
    expect(await quickerRound(second)).toBeGreaterThan(3 * unlimited);
    await limit(volume.id, { bandwidth: '0', iops: '0' });
    expect(await quickerRound(second)).toBeLessThan(limited / 3);
    await second.end();
    await volume.remove();
    expect(await lab.remains()).toEqual([]);
  });

  it.each(QEMUS)('let many writers at once get on, if slowly (%s)', async (_, flags) => {
    const volume = await createLabVolume(lab, csi, 'crowded');
    await limit(volume.id, { iops: '60' });
    // Small writes at places far apart, each on its own way to the disk: what hung guests of other set-ups.
    const script = `dd if=/dev/zero of=/data/file bs=1M count=16 2>/dev/null; sync
writer() { for i in 1 2 3 4 5; do
  at=$(( (i * 7919 + $1 * 104729) % 4000 ))
  dd if=/dev/urandom of=/data/file bs=4k count=4 seek=$at conv=notrunc,fsync 2>/dev/null
done; }
for n in 1 2 3 4 5 6; do writer $n & done; wait; echo "written all"`;
    const pod = await lab.start('crowd', script, ['--volume', `${volume.target}:/data`, '--cpus', '2', ...flags]);
    expect(await lab.line(pod, 'written')).toBe('all');
    expect(await pod.exitCode).toBe(0);
    await volume.remove();
  });
});
