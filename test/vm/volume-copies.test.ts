import { stat } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { exec } from '../../runtime/system/node/exec.ts';
import type { ClaimRequest } from '../support/claims.ts';
import { type ClaimsLab, createClaimsLab } from '../support/claims-lab.ts';
import type { LabPod } from '../support/lab.ts';
import { startStepWriter } from '../support/step-writer.ts';

const MIB = 2 ** 20;
const GROUPS = 4;

let lab: ClaimsLab;
beforeAll(async () => {
  lab = await createClaimsLab({ reflinks: true });
});
afterEach(async () => {
  await lab.removeClaims();
  expect(await lab.remains()).toEqual([]);
});
afterAll(() => lab.close());

const flags = (target: string, path: string): string[] => ['--volume', `${target}:${path}`];

/** The lines of a pod that must end well. */
async function finish(pod: LabPod): Promise<readonly string[]> {
  const exitCode = await pod.exitCode;
  expect({ exitCode, stderr: pod.stderr() }).toEqual({ exitCode: 0, stderr: '' });
  return pod.lines();
}

describe('a claim that is read by many nodes', () => {
  it('is read by two VMs at once, whose disks are read-only, and is what the snapshot was', async () => {
    const source = await lab.claim({ name: 'source', fsType: 'ext4', sizeBytes: 64 * MIB });
    const target = await source.publish('writer');
    const fill = 'head -c 9000000 /dev/urandom >/data/file; echo "sum $(sha256sum </data/file)"';
    const [sum = ''] = await finish(await lab.start('writer', fill, flags(target, '/data')));
    const request = { name: 'of-source', source_volume_id: source.id };
    const { snapshot_id: snapshotId } = (await lab.client.call('Controller', 'CreateSnapshot', request)).snapshot;
    const accessMode = 'MULTI_NODE_READER_ONLY';
    const shared = await lab.claim({ name: 'shared', fsType: 'ext4', sizeBytes: 64 * MIB, accessMode, snapshotId });
    const before = await stat(`${lab.root}${shared.image}`);

    const script = `echo "sum $(sha256sum </data/file)"; echo no >/data/no || echo "write refused"
awk '$2 == "/data" { print "mounted", $4 }' /proc/mounts
echo "disk $(cat /sys/block/vd?/ro | sort | uniq -c | tr -s ' \\n' ' ')"
trap 'exit 0' TERM; while :; do sleep 1; done`;
    const readers: LabPod[] = [];
    for (const name of ['first', 'second']) {
      const reader = await lab.start(name, script, flags(await shared.publish(name), '/data'));
      await lab.line(reader, 'disk');
      readers.push(reader);
    }
    for (const reader of readers) {
      const [read, refused, mounted, disk] = reader.lines();
      expect([read, refused]).toEqual([sum, 'write refused']);
      expect(mounted).toMatch(/^mounted ro,/);
      // The guest's root, and the volume: no disk that could be written.
      expect(disk).toBe('disk  2 1 ');
      expect(await lab.sandbox(reader.name)).toMatchObject({ vmm: expect.any(Number) });
    }
    for (const reader of readers) expect(await reader.end()).toBe(0);
    const after = await stat(`${lab.root}${shared.image}`);
    expect([after.mtimeMs, after.size]).toEqual([before.mtimeMs, before.size]);

    const blank = await lab.claim({ name: 'blank', fsType: 'ext4', sizeBytes: 64 * MIB, accessMode });
    const never = ['run', await lab.bundle('never', 'true'), ...flags(await blank.publish('never'), '/data')];
    expect(await lab.berth(never)).toMatchObject({ exitCode: 125, stderr: expect.stringMatching(/blank/) });
    expect(await blank.filesystem()).toEqual({ state: 'never' });
    await lab.client.call('Controller', 'DeleteSnapshot', { snapshot_id: snapshotId });
  });
});

describe.each([
  ['ext4', 64],
  ['xfs', 320],
  ['btrfs', 256],
] as const)('a volume of %s and its clone', (fsType, sizeMib) => {
  it('are in one VM, whichever comes first, and stay apart', async () => {
    const sizeBytes = sizeMib * MIB;
    const source = await lab.claim({ name: `of-${fsType}`, fsType, sizeBytes });
    const target = await source.publish('pod');
    const fill = 'head -c 9000000 /dev/urandom >/data/file; sha256sum </data/file';
    const [sum = ''] = await finish(await lab.start('fill', fill, flags(target, '/data')));
    const clone = await lab.claim({ name: `clone-of-${fsType}`, fsType, sizeBytes, cloneOf: source.id });
    const cloneTarget = await clone.publish('pod');

    const both = [...flags(target, '/a'), ...flags(cloneTarget, '/b')];
    const write = `sha256sum </a/file; sha256sum </b/file
for at in a b; do echo $at >/$at/own; head -c 9000000 /dev/urandom >/$at/file; sync; done
echo "a $(sha256sum </a/file)"; echo "b $(sha256sum </b/file)"; trap 'exit 0' TERM; while :; do sleep 1; done`;
    const writer = await lab.start('both', write, both);
    const sums = [await lab.line(writer, 'a'), await lab.line(writer, 'b')];
    expect(writer.lines().slice(0, 2)).toEqual([sum, sum]);
    expect(sums[0]).not.toBe(sums[1]);
    await clone.expand(cloneTarget, 2 * sizeBytes);
    expect((await clone.stats(cloneTarget)).totalBytes).toBeGreaterThan(1.5 * sizeBytes);
    const { totalBytes } = await source.stats(target);
    expect(totalBytes).toBeLessThanOrEqual(sizeBytes);
    expect(totalBytes).toBeGreaterThan(sizeBytes / 2);
    const request = { name: `frozen-${fsType}`, source_volume_id: source.id };
    const { snapshot_id: snapshotId } = (await lab.client.call('Controller', 'CreateSnapshot', request)).snapshot;
    expect(await writer.end()).toBe(0);

    const read = 'cat /a/own /b/own; sha256sum </a/file; sha256sum </b/file';
    const reversed = [...flags(cloneTarget, '/b'), ...flags(target, '/a')];
    expect(await finish(await lab.start('reversed', read, reversed))).toEqual(['a', 'b', ...sums]);
    const readOnly = both.map((word) => (word === '--volume' ? word : `${word}:ro`));
    expect(await finish(await lab.start('read-only', read, readOnly))).toEqual(['a', 'b', ...sums]);
    const alone = 'cat /b/own; sha256sum </b/file';
    expect(await finish(await lab.start('alone', alone, flags(cloneTarget, '/b')))).toEqual(['b', sums[1]]);

    // A freeze leaves the log of XFS to be replayed, on purpose, and a disk that is only read replays none.
    const accessMode = 'MULTI_NODE_READER_ONLY';
    const shared = await lab.claim({ name: `read-${fsType}`, fsType, sizeBytes, accessMode, snapshotId });
    const reader = await lab.bundle('reader', 'cat /data/own; sha256sum </data/file');
    const found = await lab.berth(['run', reader, ...flags(await shared.publish('reader'), '/data')]);
    if (fsType === 'xfs') expect(found).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('replayed') });
    else expect(found).toMatchObject({ exitCode: 0, stdout: `a\n${sums[0]}\n` });
    await lab.client.call('Controller', 'DeleteSnapshot', { snapshot_id: snapshotId });
  });
});

describe('volumes of two VMs', () => {
  it('that both write are copied at one instant', async () => {
    const names = ['a', 'b'] as const;
    const volumes = { a: await lab.claim(small('a')), b: await lab.claim(small('b')) };
    const [a, b] = [
      await startStepWriter(lab, 'vm-a', await volumes.a.publish('vm-a')),
      await startStepWriter(lab, 'vm-b', await volumes.b.publish('vm-b')),
    ];
    // Each number is on the disk of the one VM before the other hears of it.
    let steps = 0;
    let isDone = false;
    const stepping = (async () => {
      while (!isDone) {
        await a.write(steps + 1);
        await b.write(steps + 1);
        steps += 1;
      }
    })();

    const groups: { group_snapshot_id: string; snapshot_ids: string[] }[] = [];
    const idOf = ({ snapshot_id }: { snapshot_id: string }): string => snapshot_id;
    const taken: { name: string; snapshotId: string; since: number; until: number }[] = [];
    for (let n = 1; n <= GROUPS; n += 1) {
      const since = steps;
      const request = { name: `group-${n}`, source_volume_ids: [volumes.a.id, volumes.b.id] };
      const { group_snapshot: group } = await lab.client.call('GroupController', 'CreateVolumeGroupSnapshot', request);
      groups.push({ group_snapshot_id: group.group_snapshot_id, snapshot_ids: group.snapshots.map(idOf) });
      for (const name of names) {
        const made = group.snapshots.find(({ source_volume_id }) => source_volume_id === volumes[name].id);
        taken.push({ name: `${name}${n}`, snapshotId: made?.snapshot_id ?? '', since, until: steps + 1 });
      }
    }
    isDone = true;
    await stepping;
    for (const writer of [a, b]) expect(await writer.end()).toBe(0);

    const reader: string[] = [];
    for (const { name, snapshotId } of taken) {
      expect(await lab.snapshotRecord(snapshotId), name).toMatchObject({ consistency: 'frozen', remark: '' });
      await exec('e2fsck', ['-f', '-n', lab.snapshotFile(snapshotId, 'image')]);
      const restored = await lab.claim({ ...small(`restored-${name}`), snapshotId });
      reader.push(...flags(await restored.publish('reader'), `/${name}`));
    }
    const script = taken.map(
      ({ name }) => `echo "${name} $(awk '$1 != NR { bad = 1 } END { print bad ? "torn" : NR }' /${name}/log)"`,
    );
    const lines = await finish(await lab.start('reader', script.join('\n'), reader));
    const last = new Map(lines.map((line) => line.split(' ')).map(([name, number]) => [name, Number(number)]));
    for (const { name, since, until } of taken) {
      expect(last.get(name), name).toBeGreaterThanOrEqual(since);
      expect(last.get(name), name).toBeLessThanOrEqual(until);
    }
    for (let n = 1; n <= GROUPS; n += 1) {
      // What b has, a has: at most the number that b has not heard of yet is more.
      expect([0, 1], `group ${n}`).toContain((last.get(`a${n}`) ?? 0) - (last.get(`b${n}`) ?? 0));
    }
    expect(last.get(`b${GROUPS}`)).toBeGreaterThan(0);
    for (const group of groups) await lab.client.call('GroupController', 'DeleteVolumeGroupSnapshot', group);
  });
});

const small = (name: string): ClaimRequest => ({ name, fsType: 'ext4', sizeBytes: 64 * MIB });
