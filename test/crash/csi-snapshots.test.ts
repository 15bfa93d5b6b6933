import { open, readdir, readFile, stat } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import { afterAll, describe, expect, it } from 'vitest';
import { toGroupId, toMemberId, toSnapshotId } from '../../csi/snapshot-id.ts';
import { toNodeKey } from '../../csi/volume-id.ts';
import { parseVolumeId } from '../../proto/ids.ts';
import { SNAPSHOT_FILES, volumeSnapshotRecord } from '../../proto/volume-snapshot.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { FAILPOINT_MARK, FAILPOINT_VARIABLE, LIST_FAILPOINTS } from '../../runtime/system/failpoint.ts';
import { type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { failpointsOf, type Pass, parsePasses, pointsOf } from '../support/failpoints.ts';
import { startStandInVm } from '../support/stand-in-vm.ts';
import { mountXfsPool } from '../support/xfs-pool.ts';

const SIZE = 16 << 20;
const DATA = 'what a guest has written';
const KEY = toNodeKey('node-1');
const writer = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
const snapshot_id = toSnapshotId('main', KEY, 'tested');
const group_snapshot_id = toGroupId(KEY, 'tested');

/** Each with the verb that takes it back. */
const VERBS = {
  'take a snapshot': 'delete a snapshot',
  'delete a snapshot': 'take a snapshot',
  'take a group': 'delete a group',
  'delete a group': 'take a group',
} as const;
type Verb = keyof typeof VERBS;
const isTaking = (verb: Verb) => verb.startsWith('take');

/** One node for all: each case begins and ends without snapshots, with two volumes, one of them a VM's. */
const node = await createCsiNode(await buildWithFailpoints('csi'));
afterAll(() => node.close());
await mountXfsPool(node);
let driver: CsiProcess = await start();
const [attached, detached] = [await create('attached'), await create('detached')];
const memberIds = [attached, detached].map((id) => toMemberId('main', KEY, group_snapshot_id, parseVolumeId(id)));
const vm = await startStandInVm(node, 'box', [attached]);
afterAll(() => vm.end());

async function start(wanted = ''): Promise<CsiProcess> {
  return node.start({}, { [FAILPOINT_VARIABLE]: wanted });
}

async function create(name: string): Promise<string> {
  const request = { name, capacity_range: { required_bytes: SIZE }, volume_capabilities: [writer] };
  const { volume_id } = (await driver.client.call('Controller', 'CreateVolume', request)).volume;
  const image = await open(inPool('volumes', volume_id, VOLUME_FILES.image), 'r+');
  await image.write(DATA);
  await image.close();
  return volume_id;
}

async function run(verb: Verb): Promise<unknown> {
  const { client } = driver;
  switch (verb) {
    case 'take a snapshot':
      return client.call('Controller', 'CreateSnapshot', { name: 'tested', source_volume_id: attached });
    case 'delete a snapshot':
      return client.call('Controller', 'DeleteSnapshot', { snapshot_id });
    case 'take a group': {
      const request = { name: 'tested', source_volume_ids: [attached, detached] };
      return client.call('GroupController', 'CreateVolumeGroupSnapshot', request);
    }
    case 'delete a group':
      return client.call('GroupController', 'DeleteVolumeGroupSnapshot', {
        group_snapshot_id,
        snapshot_ids: memberIds,
      });
  }
}

function inPool(...path: readonly string[]): string {
  return [`${node.root}${node.pool}`, ...path].join('/');
}

async function expectContent(image: string): Promise<void> {
  const { size } = await stat(image);
  expect(size).toBe(SIZE);
  const file = await open(image);
  const { buffer } = await file.read({ buffer: Buffer.alloc(DATA.length) });
  await file.close();
  expect(buffer.toString()).toBe(DATA);
}

/** What is there is there as a whole, and seen; nothing else is. Answers how many snapshots there are. */
async function expectNothingHalf(): Promise<number> {
  for (const place of [inPool('incoming'), inPool('trash'), `${node.scratch}/state/groups`]) {
    expect(await readdir(place), place).toEqual([]);
  }
  const ids = (await readdir(inPool('snapshots'))).sort();
  const { entries } = await driver.client.call('Controller', 'ListSnapshots');
  expect(entries.map(({ snapshot }) => snapshot.snapshot_id)).toEqual(ids);
  for (const id of ids) {
    expect((await readdir(inPool('snapshots', id))).sort()).toEqual(Object.values(SNAPSHOT_FILES).sort());
    const record = await readFile(inPool('snapshots', id, SNAPSHOT_FILES.record), 'utf8');
    const { sourceVolumeId, consistency } = volumeSnapshotRecord.decode(record, id);
    expect(consistency).toBe(sourceVolumeId === attached ? 'frozen' : 'detached');
    await expectContent(inPool('snapshots', id, SNAPSHOT_FILES.image));
  }
  const members = entries.filter(({ snapshot }) => snapshot.group_snapshot_id !== '');
  const request = { group_snapshot_id, snapshot_ids: memberIds };
  const found = driver.client.call('GroupController', 'GetVolumeGroupSnapshot', request);
  if (members.length > 0) expect((await found).group_snapshot.snapshots).toHaveLength(2);
  else await expect(found).rejects.toMatchObject({ code: status.NOT_FOUND });
  for (const volumeId of [attached, detached]) await expectContent(inPool('volumes', volumeId, VOLUME_FILES.image));
  return ids.length;
}

async function expectDone(verb: Verb): Promise<void> {
  const whole = verb === 'take a group' ? 2 : 1;
  expect(await expectNothingHalf()).toBe(isTaking(verb) ? whole : 0);
}

/** What each verb passes without a crash. */
async function liveOnce(): Promise<Record<Verb, Pass[]>> {
  const passes: Partial<Record<Verb, Pass[]>> = {};
  for (const verb of Object.keys(VERBS) as Verb[]) {
    await driver.stop();
    driver = await start(LIST_FAILPOINTS);
    const before = parsePasses(driver.log.join('\n')).length;
    await run(verb);
    await driver.stop();
    passes[verb] = parsePasses(driver.log.join('\n')).slice(before);
    driver = await start();
    await expectDone(verb);
  }
  return passes as Record<Verb, Pass[]>;
}

const passes = await liveOnce();

describe.each(Object.keys(VERBS) as Verb[])('%s', (verb) => {
  const opposite = VERBS[verb];
  const [first, last] = isTaking(verb) ? [verb, opposite] : [opposite, verb];

  async function runKilled(pass: Pass): Promise<void> {
    if (!isTaking(verb)) await run(first);
    await driver.stop();
    driver = await start(pass);
    await expect(run(verb)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(await driver.ended()).toBe('SIGKILL');
    expect(driver.log.at(-1)).toBe(`${FAILPOINT_MARK}${pass} kills`);
    driver = await start();
    await expectNothingHalf();
  }

  it.each(passes[verb])(`killed at %s can be repeated, then ${opposite}`, async (pass) => {
    await runKilled(pass);
    await run(verb);
    await expectDone(verb);
    await run(opposite);
    await expectDone(opposite);
    await run(last);
    await expectDone(last);
  });
});

it('reaches every failpoint of snapshots', () => {
  const reached = pointsOf(Object.values(passes).flat());
  expect(reached).toEqual(expect.arrayContaining(failpointsOf('csi-snapshots')));
});
