import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { SNAPSHOT_FILES, volumeSnapshotRecord } from '../../proto/volume-snapshot.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { type Claim, type ClaimRequest, createClaim } from '../support/claims.ts';
import { type CsiClient, connectCsi } from '../support/csi-client.ts';
import { createLab, type Lab, type LabPod } from '../support/lab.ts';
import { startStepWriter } from '../support/step-writer.ts';

const MIB = 2 ** 20;
const GROUPS = 4;

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
afterEach(async () => {
  for (const claim of claims.splice(0)) await claim.remove();
  expect(await lab.remains()).toEqual([]);
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

const flags = (target: string, path: string): string[] => ['--volume', `${target}:${path}`];

/** The lines of a pod that must end well. */
async function finish(pod: LabPod): Promise<readonly string[]> {
  const exitCode = await pod.exitCode;
  expect({ exitCode, stderr: pod.stderr() }).toEqual({ exitCode: 0, stderr: '' });
  return pod.lines();
}

const inSnapshot = (snapshotId: string, file: keyof typeof SNAPSHOT_FILES): string =>
  join(`${lab.root}${lab.poolDirectory}`, 'snapshots', snapshotId, SNAPSHOT_FILES[file]);

describe('a claim that is read by many nodes', () => {
  it('is read by two VMs at once, whose disks are read-only, and is what the snapshot was', async () => {
    const source = await claim({ name: 'source', fsType: 'ext4', sizeBytes: 64 * MIB });
    const target = await source.publish('writer');
    const fill = 'head -c 9000000 /dev/urandom >/data/file; echo "sum $(sha256sum </data/file)"';
    const [sum = ''] = await finish(await lab.start('writer', fill, flags(target, '/data')));
    const request = { name: 'of-source', source_volume_id: source.id };
    const { snapshot_id: snapshotId } = (await client.call('Controller', 'CreateSnapshot', request)).snapshot;
    const accessMode = 'MULTI_NODE_READER_ONLY';
    const shared = await claim({ name: 'shared', fsType: 'ext4', sizeBytes: 64 * MIB, accessMode, snapshotId });
    const before = await stat(`${lab.root}${shared.image}`);

    const script = `echo "sum $(sha256sum </data/file)"; echo no >/data/no || echo "write refused"
awk '$2 == "/data" { print "mounted", $4 }' /proc/mounts; echo "disk $(cat /sys/block/vd?/ro | sort | uniq -c | tr -s ' \\n' ' ')"
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

    const blank = await claim({ name: 'blank', fsType: 'ext4', sizeBytes: 64 * MIB, accessMode });
    const never = ['run', await lab.bundle('never', 'true'), ...flags(await blank.publish('never'), '/data')];
    expect(await lab.berth(never)).toMatchObject({ exitCode: 125, stderr: expect.stringMatching(/blank/) });
    expect(await blank.filesystem()).toEqual({ state: 'never' });
    await client.call('Controller', 'DeleteSnapshot', { snapshot_id: snapshotId });
  });
});

describe.each([
  ['ext4', 64],
  ['xfs', 320],
  ['btrfs', 256],
] as const)('a volume of %s and its clone', (fsType, sizeMib) => {
  it('are in one VM, whichever comes first, and stay apart', async () => {
    const sizeBytes = sizeMib * MIB;
    const source = await claim({ name: `of-${fsType}`, fsType, sizeBytes });
    const target = await source.publish('pod');
    const fill = 'head -c 9000000 /dev/urandom >/data/file; sha256sum </data/file';
    const [sum = ''] = await finish(await lab.start('fill', fill, flags(target, '/data')));
    const clone = await claim({ name: `clone-of-${fsType}`, fsType, sizeBytes, cloneOf: source.id });
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
    const total = async (volume: Claim, at: string): Promise<number> =>
      (await volume.stats(at)).usage.find(({ unit }) => unit === 'BYTES')?.total ?? 0;
    expect(await total(clone, cloneTarget)).toBeGreaterThan(1.5 * sizeBytes);
    expect(await total(source, target)).toBeLessThanOrEqual(sizeBytes);
    const request = { name: `frozen-${fsType}`, source_volume_id: source.id };
    const { snapshot_id: snapshotId } = (await client.call('Controller', 'CreateSnapshot', request)).snapshot;
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
    const shared = await claim({ name: `read-${fsType}`, fsType, sizeBytes, accessMode, snapshotId });
    const reader = await lab.bundle('reader', 'cat /data/own; sha256sum </data/file');
    const found = await lab.berth(['run', reader, ...flags(await shared.publish('reader'), '/data')]);
    if (fsType === 'xfs') expect(found).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('replayed') });
    else expect(found).toMatchObject({ exitCode: 0, stdout: `a\n${sums[0]}\n` });
    await client.call('Controller', 'DeleteSnapshot', { snapshot_id: snapshotId });
  });
});

describe('volumes of two VMs', () => {
  it('that both write are copied at one instant', async () => {
    const names = ['a', 'b'] as const;
    const volumes = { a: await claim(small('a')), b: await claim(small('b')) };
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
      const { group_snapshot: group } = await client.call('GroupController', 'CreateVolumeGroupSnapshot', request);
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
      const record = volumeSnapshotRecord.decode(await readFile(inSnapshot(snapshotId, 'record'), 'utf8'), name);
      expect(record, name).toMatchObject({ consistency: 'frozen', remark: '' });
      await exec('e2fsck', ['-f', '-n', inSnapshot(snapshotId, 'image')]);
      const restored = await claim({ ...small(`restored-${name}`), snapshotId });
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
    for (const group of groups) await client.call('GroupController', 'DeleteVolumeGroupSnapshot', group);
  });
});

const small = (name: string): ClaimRequest => ({ name, fsType: 'ext4', sizeBytes: 64 * MIB });
