import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import { runPaths } from '../../proto/paths.ts';
import { silentLog } from '../../runtime/system/log.ts';
import { createNodeSystem } from '../../runtime/system/node/system.ts';
import { Attachments } from '../attachments.ts';
import { PodShims } from '../pod-shims.ts';
import type { Pool } from '../pool/port.ts';
import { toGroupId, toMemberId } from '../snapshot-id.ts';
import { createMemoryPool, type MemoryPool, NODE_KEY } from '../snapshots/memory-pool.fixture.ts';
import { Snapshots } from '../snapshots/snapshots.ts';
import type { Call } from '../verb.ts';
import { Volumes } from '../volumes.ts';
import { clearUnfinishedGroups } from './clear-group.ts';
import type { GroupContext } from './context.ts';
import { createGroupSnapshot } from './create-group-snapshot.ts';
import { deleteGroupSnapshot } from './delete-group-snapshot.ts';
import { getGroupSnapshot } from './get-group-snapshot.ts';
import { UnfinishedGroups } from './unfinished-groups.ts';

const system = createNodeSystem();
const groupId = toGroupId(NODE_KEY, 'group');
const FULL = new Fault('exhausted', 'the pool is full');

let directory: string;
let fast: MemoryPool;
let slow: MemoryPool;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'berth-groups-')), 'groups');
  fast = createMemoryPool('fast', []);
  slow = createMemoryPool('slow', []);
});
afterEach(() => rm(join(directory, '..'), { recursive: true }));

/** A server that starts, with these pools. */
async function open(...pools: readonly MemoryPool[]): Promise<GroupContext> {
  const unfinished = await UnfinishedGroups.open(system, directory);
  const volumes = new Volumes(NODE_KEY, pools);
  const snapshots = new Snapshots(volumes, unfinished);
  const attachments = await Attachments.open(system, directory);
  const shims = new PodShims(system, runPaths(directory));
  const context = { volumes, snapshots, unfinished, attachments, shims };
  await clearUnfinishedGroups(context, silentLog);
  return context;
}

const run = <Response extends object>(call: Call<Response>): Promise<Response> =>
  call.run({ log: silentLog, signal: new AbortController().signal });
const take = (context: GroupContext, ...source_volume_ids: readonly string[]) =>
  run(createGroupSnapshot({ name: 'group', source_volume_ids, parameters: {} }, context));
const remove = (context: GroupContext, snapshot_ids: readonly string[]) =>
  run(deleteGroupSnapshot({ group_snapshot_id: groupId, snapshot_ids }, context));
/** Members of all groups. */
const idsIn = (...pools: readonly MemoryPool[]) =>
  pools.flatMap((pool) => pool.snapshots().map(({ snapshotId }): string => snapshotId));

describe('a group over two pools', () => {
  it('that fails leaves nothing, in either pool', async () => {
    const context = await open(fast, slow);
    const [a, b] = [fast.add('a').volumeId, slow.add('b').volumeId];
    slow.faults.set(b, { when: 'recording', fault: FULL });
    await expect(take(context, a, b)).rejects.toMatchObject({ code: 'exhausted' });
    expect([...fast.snapshots(), ...slow.snapshots(), ...(await readdir(directory))]).toEqual([]);
    slow.faults.clear();
    const { group_snapshot } = await take(context, a, b);
    expect(group_snapshot.snapshots).toHaveLength(2);
    expect(await readdir(directory)).toEqual([]);
  });

  it('is not deleted in part, where one of them is not there', async () => {
    const [a, b] = [fast.add('a').volumeId, slow.add('b').volumeId];
    await take(await open(fast, slow), a, b);
    const ids = idsIn(fast, slow);
    for (const pools of [[fast], [createMemoryPool('third', [])]]) {
      await expect(remove(await open(...pools), ids)).rejects.toMatchObject({ code: 'precondition' });
    }
    expect(idsIn(fast, slow)).toEqual(ids);
  });

  it('is neither deleted nor told of to who does not name its members', async () => {
    const [a, b] = [fast.add('a').volumeId, slow.add('b').volumeId];
    const context = await open(fast, slow);
    await take(context, a, b);
    const ids = idsIn(fast, slow);
    const refusal = { code: 'invalid', message: expect.stringContaining(`snapshot_ids lacks ${ids[0]}`) };
    await expect(remove(context, [])).rejects.toMatchObject(refusal);
    const get = getGroupSnapshot({ group_snapshot_id: groupId, snapshot_ids: [] }, context);
    await expect(run(get)).rejects.toMatchObject(refusal);
    expect(idsIn(fast, slow)).toEqual(ids);
    await remove(context, ids);
    expect(idsIn(fast, slow)).toEqual([]);
    await remove(context, []);
  });

  it('of which a part is gone is deleted by the same request again', async () => {
    const [a, b] = [fast.add('a').volumeId, slow.add('b').volumeId];
    const context = await open(fast, slow);
    await take(context, a, b);
    const ids = idsIn(fast, slow);
    // As a server that was killed on a full disk leaves it.
    await fast.removeSnapshot(toMemberId('fast', NODE_KEY, groupId, a), silentLog);
    await remove(context, ids);
    expect(idsIn(fast, slow)).toEqual([]);
  });

  it('stays out of sight until all pools are there in which it must be cleared', async () => {
    const [a, b] = [fast.add('a').volumeId, slow.add('b').volumeId];
    const first = await open(fast, slow);
    await take(first, a, b);
    const ids = [fast, slow].flatMap((pool) => pool.snapshots().map(({ snapshotId }) => snapshotId));
    await first.unfinished.begin(groupId, ids); // as a server that was killed while it deleted the group leaves it

    const without = await open(fast);
    expect(fast.snapshots()).toEqual([]);
    expect(await readdir(directory)).toEqual([`${groupId}.json`]);
    await expect(remove(without, ids)).rejects.toThrow('lives in pool slow, which this server was not given');

    const onlySlow = await open(slow);
    expect([...onlySlow.snapshots.after('')]).toEqual([]);
    expect(slow.snapshots()).toHaveLength(1);
    expect(await readdir(directory)).toHaveLength(1);

    await open(fast, slow);
    expect([...slow.snapshots(), ...(await readdir(directory))]).toEqual([]);
  });
});

it('a record that cannot be read keeps its group out of sight, and removes nothing', async () => {
  const first = await open(fast);
  const a = fast.add('a').volumeId;
  await take(first, a);
  const member = toMemberId('fast', NODE_KEY, groupId, a);
  await writeFile(join(directory, `${groupId}.json`), '{');
  const context = await open(fast);
  expect(fast.findSnapshot(member)).toBeDefined();
  expect(context.snapshots.find(member)).toBeUndefined();
  await expect(remove(context, [])).rejects.toMatchObject({ code: 'malformed' });
  await expect(take(context, a)).rejects.toMatchObject({ code: 'malformed' });
  expect(fast.findSnapshot(member)).toBeDefined();
});

it('a member whose own record cannot be read is not removed by a repeated request', async () => {
  const context = await open(fast);
  const a = fast.add('a').volumeId;
  await take(context, a);
  const broken = new Fault('malformed', 'snapshot.json is not JSON');
  const removed: string[] = [];
  const pool: Pool = {
    ...fast,
    snapshots: () => [],
    findSnapshot: () => {
      throw broken;
    },
    removeSnapshot: async (snapshotId) => removed.push(snapshotId) > 0,
  };
  const volumes = new Volumes(NODE_KEY, [pool]);
  const snapshots = new Snapshots(volumes, context.unfinished);
  await expect(take({ ...context, volumes, snapshots }, a)).rejects.toBe(broken);
  expect(removed).toEqual([]);
});

it('what a killed writer left in the directory goes at the start', async () => {
  await open(fast);
  await writeFile(join(directory, `${groupId}.json.0123456789ab.tmp`), '{');
  const context = await open(fast);
  expect([...context.unfinished.ids(), ...(await readdir(directory))]).toEqual([]);
});

it('a group is deleted on a full disk too, where nothing can be recorded', async () => {
  const context = await open(fast);
  await take(context, fast.add('a').volumeId, fast.add('b').volumeId);
  const noSpace = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  const unfinished = await UnfinishedGroups.open(
    {
      ...system,
      writeFile: async () => {
        throw new Fault('io', 'could not write', { cause: noSpace });
      },
    },
    directory,
  );
  await remove({ ...context, unfinished }, idsIn(fast));
  expect(fast.snapshots()).toEqual([]);
});
