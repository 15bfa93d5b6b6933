import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CsiServer, startCsiServer } from '../../deploy/demo/csi-server.ts';
import { FAILPOINT_VARIABLE, type Failpoint } from '../../runtime/system/failpoint.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import type { Claim } from '../support/claims.ts';
import { type ClaimsLab, createClaimsLab } from '../support/claims-lab.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { type LabPod, programs } from '../support/lab.ts';

const MIB = 2 ** 20;
const GROUPS = 3;

let lab: ClaimsLab;
beforeAll(async () => {
  lab = await createClaimsLab({ reflinks: true });
});
afterEach(async () => {
  await lab.removeClaims();
  expect(await lab.remains()).toEqual([]);
});
afterAll(() => lab.close());

/** A driver that kills itself there. */
async function startFailing(point: Failpoint): Promise<CsiServer> {
  const program = await buildWithFailpoints('csi');
  return startCsiServer({
    command: [...lab.prefix, 'env', `${FAILPOINT_VARIABLE}=${point}`, process.execPath, program],
    socket: '/run/csi.sock',
    clientSocket: `${lab.root}/run/csi.sock`,
    stateDirectory: '/run/csi',
    pool: { name: 'pool', directory: lab.poolDirectory },
    protoPath: programs.csiProto,
  });
}

/** Rounds that the writer has said to be on disk. */
const roundsOf = (pod: LabPod): number => pod.lines().filter((line) => line.startsWith('round-')).length;

/** Each number to one volume after the other, and not to the next before it is on disk. */
const writeTo = (...directories: readonly string[]): string => `trap 'exit 0' TERM
n=0
while :; do
  n=$((n + 1))
  for at in ${directories.join(' ')}; do echo $n >>$at/log && sync $at/log || exit 1; done
  echo "round-$n done"
done`;

/** The writer has gone on by some rounds since the call. */
const goesOn = (writer: LabPod): Promise<string> => lab.line(writer, `round-${roundsOf(writer) + 3}`);

/** What a log of numbers came to: the last of them, if all before are there too. */
const summary = (name: string, path: string): string =>
  `echo "${name} $(awk '$1 != NR { bad = 1 } END { print bad ? "torn" : NR }' ${path}/log)"`;

describe('volumes that a pod writes to', () => {
  it('are frozen for a snapshot, of one and of all at one instant, and only for as long', async () => {
    const [a, b] = [
      await lab.claim({ name: 'a', fsType: 'ext4', sizeBytes: 64 * MIB }),
      await lab.claim({ name: 'b', fsType: 'xfs', sizeBytes: 320 * MIB }),
    ];
    const writer = await lab.start('writer', writeTo('/a', '/b'), [
      ...['--volume', `${await a.publish('pair')}:/a`],
      ...['--volume', `${await b.publish('pair')}:/b`],
    ]);
    const taken: { name: string; snapshotId: string; since: number; until: number }[] = [];
    const take = async (call: () => Promise<Readonly<Record<string, string>>>): Promise<void> => {
      await goesOn(writer); // written anew since the last one
      const since = roundsOf(writer);
      const snapshots = await call();
      for (const [name, snapshotId] of Object.entries(snapshots)) {
        taken.push({ name, snapshotId, since, until: roundsOf(writer) + 1 });
      }
    };
    await take(async () => {
      const request = { name: 'single', source_volume_id: a.id };
      return { single: (await lab.client.call('Controller', 'CreateSnapshot', request)).snapshot.snapshot_id };
    });
    const groups: { group_snapshot_id: string; snapshot_ids: string[] }[] = [];
    for (let n = 1; n <= GROUPS; n += 1) {
      await take(async () => {
        const request = { name: `group-${n}`, source_volume_ids: [a.id, b.id] };
        const { group_snapshot: group } = await lab.client.call(
          'GroupController',
          'CreateVolumeGroupSnapshot',
          request,
        );
        const { group_snapshot_id, snapshots } = group;
        groups.push({ group_snapshot_id, snapshot_ids: snapshots.map(({ snapshot_id }) => snapshot_id) });
        const idOf = (volume: Claim) =>
          group.snapshots.find((each) => each.source_volume_id === volume.id)?.snapshot_id;
        return { [`a${n}`]: idOf(a) ?? '', [`b${n}`]: idOf(b) ?? '' };
      });
    }
    await goesOn(writer);
    expect(await writer.end()).toBe(0);

    for (const { name, snapshotId } of taken) {
      expect(await lab.snapshotRecord(snapshotId), name).toMatchObject({ consistency: 'frozen', remark: '' });
      // As after an unmount, with no journal to be replayed; XFS makes its log dirty on purpose when it is frozen.
      if (name.startsWith('b')) continue;
      const image = lab.snapshotFile(snapshotId, 'image');
      await exec('e2fsck', ['-f', '-n', image]);
      expect(await exec('dumpe2fs', ['-h', image])).not.toContain('needs_recovery');
    }

    const flags: string[] = [];
    for (const { name, snapshotId } of taken) {
      const fsType = name.startsWith('b') ? 'xfs' : 'ext4';
      const restored = await lab.claim({ name, fsType, sizeBytes: (fsType === 'xfs' ? 320 : 64) * MIB, snapshotId });
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

    for (const group of groups) await lab.client.call('GroupController', 'DeleteVolumeGroupSnapshot', group);
    await lab.client.call('Controller', 'DeleteSnapshot', { snapshot_id: taken[0]?.snapshotId ?? '' });
  });

  it('go on by themselves when the driver is killed while they are frozen; the next one takes the snapshot', async () => {
    const volume = await lab.claim({ name: 'alone', fsType: 'ext4', sizeBytes: 64 * MIB });
    const target = await volume.publish('alone');
    const writer = await lab.start('alone', writeTo('/a'), ['--volume', `${target}:/a`]);
    await goesOn(writer);
    await lab.driver.stop();
    lab.driver = await startFailing('volumes.copied');
    const take = () => lab.client.call('Controller', 'CreateSnapshot', { name: 'again', source_volume_id: volume.id });
    await expect(take()).rejects.toMatchObject({ code: status.UNAVAILABLE });
    lab.driver.client.close();
    await goesOn(writer);
    lab.driver = await lab.csi();
    expect((await lab.client.call('Controller', 'ListSnapshots')).entries).toEqual([]);
    const { snapshot_id } = (await take()).snapshot;
    expect(await lab.snapshotRecord(snapshot_id)).toMatchObject({ consistency: 'frozen' });
    await goesOn(writer);
    expect(await writer.end()).toBe(0);
    await lab.client.call('Controller', 'DeleteSnapshot', { snapshot_id });
  });

  it('are copied as after a power cut where they are block devices, and it is said', async () => {
    const volume = await lab.claim({ name: 'raw', sizeBytes: 16 * MIB });
    const script = `head -c 1000000 /dev/urandom >/tmp/file
dd if=/tmp/file of=/dev/xvda bs=64k conv=fsync 2>/dev/null
trap 'exit 0' TERM; echo "sum $(sha256sum </tmp/file)"; while :; do sleep 1; done`;
    const writer = await lab.start('raw', script, ['--device', `${await volume.publish('raw')}:/dev/xvda`]);
    const sum = await lab.line(writer, 'sum');
    const { snapshot } = await lab.client.call('Controller', 'CreateSnapshot', {
      ...{ name: 'raw', source_volume_id: volume.id },
    });
    const remark = expect.stringContaining('block device');
    expect(await lab.snapshotRecord(snapshot.snapshot_id)).toMatchObject({ consistency: 'crash', remark });
    expect(await writer.end()).toBe(0);
    const restored = await lab.claim({ name: 'restored', sizeBytes: 16 * MIB, snapshotId: snapshot.snapshot_id });
    const image = join(`${lab.root}${restored.image}`);
    expect(await exec('sh', ['-c', 'head -c 1000000 "$1" | sha256sum', 'sh', image])).toBe(`${sum}\n`);
    await lab.client.call('Controller', 'DeleteSnapshot', { snapshot_id: snapshot.snapshot_id });
  });
});
