import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toGroupId, toSnapshotId } from '../../csi/snapshot-id.ts';
import { toNodeKey } from '../../csi/volume-id.ts';
import { SnapshotNode } from '../support/snapshot-node.ts';

let at: SnapshotNode;
beforeEach(async () => {
  at = await SnapshotNode.create();
});
afterEach(() => at.close());

const group = (
  verb: 'CreateVolumeGroupSnapshot' | 'DeleteVolumeGroupSnapshot' | 'GetVolumeGroupSnapshot',
  request: object,
) => at.driver.client.call('GroupController', verb, request);

describe('a group snapshot', () => {
  it('is of all volumes, each VM frozen once for all of its own, and is there once', async () => {
    await at.startOnXfs();
    const [a, b, c] = [await at.create('a'), await at.create('b'), await at.create('c')];
    const vm = await at.standIn('box', [a, b]);
    const made = await at.takeGroup('group', a, b, c);
    expect(made).toMatchObject({ group_snapshot_id: toGroupId(toNodeKey('node-1'), 'group'), ready_to_use: true });
    expect(made.snapshots.map(({ source_volume_id }) => source_volume_id).sort()).toEqual([a, b, c]);
    expect(new Set(made.snapshots.map(({ group_snapshot_id }) => group_snapshot_id))).toEqual(
      new Set([made.group_snapshot_id]),
    );
    expect(vm.events).toEqual([`freeze ${a} ${b}`, `thaw ${a} ${b}`]);
    const records = await Promise.all(made.snapshots.map(({ snapshot_id }) => at.recordOf(snapshot_id)));
    const trusts = records.map(({ sourceVolumeId, consistency }) => [sourceVolumeId, consistency]);
    expect(Object.fromEntries(trusts)).toEqual({ [a]: 'frozen', [b]: 'frozen', [c]: 'detached' });

    expect(await at.takeGroup('group', c, b, a)).toEqual(made);
    await expect(at.takeGroup('group', a, b)).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
    const ids = made.snapshots.map(({ snapshot_id }) => snapshot_id);
    const { group_snapshot_id } = made;
    expect(
      (await group('GetVolumeGroupSnapshot', { group_snapshot_id, snapshot_ids: ids })) as { group_snapshot: object },
    ).toEqual({ group_snapshot: made });
    for (const snapshot_ids of [ids.slice(1), [...ids, (await at.snap('single', a)).snapshot_id]]) {
      for (const verb of ['GetVolumeGroupSnapshot', 'DeleteVolumeGroupSnapshot'] as const) {
        await expect(group(verb, { group_snapshot_id, snapshot_ids })).rejects.toMatchObject({
          code: status.INVALID_ARGUMENT,
          details: expect.stringContaining('snapshot_ids'),
        });
      }
    }
    await expect(at.driver.client.call('Controller', 'DeleteSnapshot', { snapshot_id: ids[0] })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining(group_snapshot_id),
    });
    expect(await at.read(await at.restore('restored', ids[0] ?? ''), 1)).toBe('\0');
    await at.driver.client.call('Controller', 'DeleteSnapshot', {
      snapshot_id: toSnapshotId('main', toNodeKey('node-1'), 'single'),
    });
    await group('DeleteVolumeGroupSnapshot', { group_snapshot_id, snapshot_ids: ids });
    await group('DeleteVolumeGroupSnapshot', { group_snapshot_id, snapshot_ids: ids });
    expect(await at.snapshotsOnDisk()).toEqual([]);
    await expect(group('GetVolumeGroupSnapshot', { group_snapshot_id })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
  });

  it('is not there at all when one volume cannot be a part of it', async () => {
    await at.startOnXfs();
    const [a, b] = [await at.create('a'), await at.create('b')];
    const vm = await at.standIn('box', [a]);
    const other = await at.standIn('other', [b], {
      measureVolume: async () => {
        await at.node.run('mv', `${at.node.pool}/volumes/${b}/image.raw`, `${at.node.pool}/elsewhere`);
        return { capacityBytes: 1 };
      },
    });
    await expect(at.takeGroup('group', a, b)).rejects.toMatchObject({ code: status.INTERNAL });
    expect(vm.events).toEqual([`freeze ${a}`, `thaw ${a}`]);
    expect(other.events).toEqual([`freeze ${b}`, `thaw ${b}`]);
    expect(await at.snapshotsOnDisk()).toEqual([]);
    await other.end();
    await at.node.run('mv', `${at.node.pool}/elsewhere`, `${at.node.pool}/volumes/${b}/image.raw`);
    expect((await at.takeGroup('group', a, b)).snapshots).toHaveLength(2);
  });
});
