import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { SNAPSHOT_FILES, volumeSnapshotRecord } from '../../proto/volume-snapshot.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { type Claim, type ClaimRequest, createClaim } from '../support/claims.ts';
import { type CsiClient, connectCsi } from '../support/csi-client.ts';
import { createLab, type Lab, type LabPod } from '../support/lab.ts';

const MIB = 2 ** 20;
const GROUPS = 3;

let lab: Lab;
let csi: CsiServer;
let client: CsiClient;
const claims: Claim[] = [];
beforeAll(async () => {
  lab = await createLab();
  const image = join(lab.scratch, 'pool.xfs');
  await exec('truncate', ['--size', '8G', image]);
  await exec('mkfs.xfs', ['-q', '-m', 'reflink=1', image]);
  const [file = '', ...args] = [...lab.prefix, 'mount', '-o', 'loop', image, lab.poolDirectory];
  await exec(file, args);
  csi = await lab.csi();
  client = connectCsi(`${lab.root}/run/csi.sock`);
});
afterAll(async () => {
  client.close();
  await csi.stop();
  await lab.close();
});

async function claim(request: ClaimRequest): Promise<Claim> {
  const made = await createClaim(lab, csi, request);
  claims.push(made);
  return made;
}

const inSnapshot = (snapshotId: string, file: keyof typeof SNAPSHOT_FILES): string =>
  join(`${lab.root}${lab.poolDirectory}`, 'snapshots', snapshotId, SNAPSHOT_FILES[file]);

async function recordOf(snapshotId: string) {
  return volumeSnapshotRecord.decode(await readFile(inSnapshot(snapshotId, 'record'), 'utf8'), snapshotId);
}

/** Rounds that the writer has said to be on disk. */
const roundsOf = (pod: LabPod): number => pod.lines().filter((line) => line.startsWith('round-')).length;

/** Each number first to one volume, then to the other, and not to the next before it is on disk. */
const WRITER = `trap 'exit 0' TERM
n=0
while :; do
  n=$((n + 1))
  echo $n >>/a/log && sync /a/log && echo $n >>/b/log && sync /b/log || exit 1
  echo "round-$n done"
done`;

/** What a log of numbers came to: the last of them, if all before are there too. */
const summary = (name: string, path: string): string =>
  `echo "${name} $(awk '$1 != NR { bad = 1 } END { print bad ? "torn" : NR }' ${path}/log)"`;

describe('volumes that a pod writes to', () => {
  it('are frozen for a snapshot, of one and of all at one instant, and only for as long', async () => {
    const [a, b] = [
      await claim({ name: 'a', fsType: 'ext4', sizeBytes: 64 * MIB }),
      await claim({ name: 'b', fsType: 'xfs', sizeBytes: 320 * MIB }),
    ];
    const writer = await lab.start('writer', WRITER, [
      ...['--volume', `${await a.publish('pair')}:/a`],
      ...['--volume', `${await b.publish('pair')}:/b`],
    ]);
    const taken: { name: string; snapshotId: string; since: number; until: number }[] = [];
    const take = async (call: () => Promise<Readonly<Record<string, string>>>): Promise<void> => {
      await lab.line(writer, `round-${roundsOf(writer) + 3}`); // written anew since the last one
      const since = roundsOf(writer);
      const snapshots = await call();
      for (const [name, snapshotId] of Object.entries(snapshots)) {
        taken.push({ name, snapshotId, since, until: roundsOf(writer) + 1 });
      }
    };
    await take(async () => {
      const request = { name: 'single', source_volume_id: a.id };
      return { single: (await client.call('Controller', 'CreateSnapshot', request)).snapshot.snapshot_id };
    });
    const groupIds: string[] = [];
    for (let n = 1; n <= GROUPS; n += 1) {
      await take(async () => {
        const request = { name: `group-${n}`, source_volume_ids: [a.id, b.id] };
        const { group_snapshot: group } = await client.call('GroupController', 'CreateVolumeGroupSnapshot', request);
        groupIds.push(group.group_snapshot_id);
        const idOf = (volume: Claim) =>
          group.snapshots.find((each) => each.source_volume_id === volume.id)?.snapshot_id;
        return { [`a${n}`]: idOf(a) ?? '', [`b${n}`]: idOf(b) ?? '' };
      });
    }
    await lab.line(writer, `round-${roundsOf(writer) + 3}`);
    expect(await writer.end()).toBe(0);

    for (const { name, snapshotId } of taken) {
      expect(await recordOf(snapshotId), name).toMatchObject({ consistency: 'frozen', remark: '' });
      // As after an unmount, with no journal to be replayed; XFS makes its log dirty on purpose when it is frozen.
      if (name.startsWith('b')) continue;
      const image = inSnapshot(snapshotId, 'image');
      await exec('e2fsck', ['-f', '-n', image]);
      expect(await exec('dumpe2fs', ['-h', image])).not.toContain('needs_recovery');
    }

    const flags: string[] = [];
    for (const { name, snapshotId } of taken) {
      const fsType = name.startsWith('b') ? 'xfs' : 'ext4';
      const restored = await claim({ name, fsType, sizeBytes: (fsType === 'xfs' ? 320 : 64) * MIB, snapshotId });
      flags.push('--volume', `${await restored.publish('reader')}:/${name}`);
    }
    const script = taken.map(({ name }) => summary(name, `/${name}`)).join('\n');
    const reader = await lab.start('reader', script, flags);
    const found = new Map<string, number>();
    for (const { name, since, until } of taken) {
      const last = Number(await lab.line(reader, name));
      expect(last, name).toBeGreaterThanOrEqual(since);
      expect(last, name).toBeLessThanOrEqual(until);
      found.set(name, last);
    }
    expect(await reader.exitCode).toBe(0);
    for (let n = 1; n <= GROUPS; n += 1) {
      // One instant: what `b` has, `a` has, and at most one number more.
      const ahead = (found.get(`a${n}`) ?? 0) - (found.get(`b${n}`) ?? 0);
      expect([0, 1], `group ${n}`).toContain(ahead);
    }

    for (const group_snapshot_id of groupIds) {
      await client.call('GroupController', 'DeleteVolumeGroupSnapshot', { group_snapshot_id });
    }
    await client.call('Controller', 'DeleteSnapshot', { snapshot_id: taken[0]?.snapshotId ?? '' });
    for (const made of claims.splice(0)) await made.remove();
    expect(await lab.remains()).toEqual([]);
  });
});
