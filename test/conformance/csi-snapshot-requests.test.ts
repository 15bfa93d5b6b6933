import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toGroupId, toSnapshotId } from '../../csi/snapshot-id.ts';
import { toNodeKey, toVolumeId } from '../../csi/volume-id.ts';
import { SnapshotNode } from '../support/snapshot-node.ts';

const elsewhere = toNodeKey('node-2');

let at: SnapshotNode;
beforeEach(async () => {
  at = await SnapshotNode.create();
});
afterEach(() => at.close());

const call = (verb: 'CreateSnapshot' | 'DeleteSnapshot' | 'ListSnapshots' | 'GetSnapshot', request: object) =>
  at.driver.client.call('Controller', verb, request);
const group = (
  verb: 'CreateVolumeGroupSnapshot' | 'DeleteVolumeGroupSnapshot' | 'GetVolumeGroupSnapshot',
  request: object,
) => at.driver.client.call('GroupController', verb, request);

describe('requests', () => {
  it('are refused by the tables of the specification, each with the field', async () => {
    await at.startOnXfs();
    const source = await at.create('source');
    const absent = toVolumeId('main', toNodeKey('node-1'), 'absent');
    const away = toVolumeId('main', elsewhere, 'away');
    const { INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION } = status;
    for (const [verb, request, code, words] of [
      ['CreateSnapshot', { source_volume_id: source }, INVALID_ARGUMENT, 'name is required'],
      ['CreateSnapshot', { name: 'n' }, INVALID_ARGUMENT, 'source_volume_id is required'],
      ['CreateSnapshot', { name: 'n', source_volume_id: absent }, NOT_FOUND, 'there is no volume'],
      ['CreateSnapshot', { name: 'n', source_volume_id: 'x' }, NOT_FOUND, 'there is no volume'],
      ['CreateSnapshot', { name: 'n', source_volume_id: away }, NOT_FOUND, 'lives on the node of key'],
      [
        'CreateSnapshot',
        { name: 'n', source_volume_id: source, parameters: { speed: 'high' } },
        INVALID_ARGUMENT,
        'parameters["speed"] is unknown',
      ],
      ['DeleteSnapshot', {}, INVALID_ARGUMENT, 'snapshot_id is required'],
      [
        'DeleteSnapshot',
        { snapshot_id: toSnapshotId('main', elsewhere, 'n') },
        FAILED_PRECONDITION,
        'lives on the node of key',
      ],
      [
        'DeleteSnapshot',
        { snapshot_id: toSnapshotId('other', toNodeKey('node-1'), 'n') },
        FAILED_PRECONDITION,
        'lives in pool other',
      ],
      ['GetSnapshot', {}, INVALID_ARGUMENT, 'snapshot_id is required'],
      ['GetSnapshot', { snapshot_id: 'none' }, NOT_FOUND, 'there is no snapshot none'],
    ] as const) {
      const answer = call(verb, request);
      await expect(answer, `${verb} ${JSON.stringify(request)}`).rejects.toMatchObject({
        code,
        details: expect.stringContaining(words),
      });
    }
    for (const [verb, request, code, words] of [
      ['CreateVolumeGroupSnapshot', { source_volume_ids: [source] }, INVALID_ARGUMENT, 'name is required'],
      ['CreateVolumeGroupSnapshot', { name: 'n' }, INVALID_ARGUMENT, 'source_volume_ids is required'],
      [
        'CreateVolumeGroupSnapshot',
        { name: 'n', source_volume_ids: [source, source] },
        INVALID_ARGUMENT,
        'source_volume_ids[1]',
      ],
      [
        'CreateVolumeGroupSnapshot',
        { name: 'n', source_volume_ids: [source], parameters: { allowCopy: 'true' } },
        INVALID_ARGUMENT,
        'parameters["allowCopy"]',
      ],
      ['CreateVolumeGroupSnapshot', { name: 'n', source_volume_ids: [source, absent] }, NOT_FOUND, 'no volume'],
      ['CreateVolumeGroupSnapshot', { name: 'n', source_volume_ids: [away] }, FAILED_PRECONDITION, 'one node'],
      ['DeleteVolumeGroupSnapshot', {}, INVALID_ARGUMENT, 'group_snapshot_id is required'],
      [
        'DeleteVolumeGroupSnapshot',
        { group_snapshot_id: toGroupId(elsewhere, 'n') },
        FAILED_PRECONDITION,
        'lives on the node of key',
      ],
      ['GetVolumeGroupSnapshot', {}, INVALID_ARGUMENT, 'group_snapshot_id is required'],
      ['GetVolumeGroupSnapshot', { group_snapshot_id: 'none' }, NOT_FOUND, 'there is no group snapshot none'],
    ] as const) {
      const answer = group(verb, request);
      await expect(answer, `${verb} ${JSON.stringify(request)}`).rejects.toMatchObject({
        code,
        details: expect.stringContaining(words),
      });
    }
    await call('DeleteSnapshot', { snapshot_id: 'none' });
    await group('DeleteVolumeGroupSnapshot', { group_snapshot_id: 'none' });
    expect(await at.snapshotsOnDisk()).toEqual([]);
  });

  it('exclude one another on a snapshot and on its source', async () => {
    await at.startOnXfs();
    const source = await at.create('source');
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let frozen = (): void => {};
    const isFrozen = new Promise<void>((resolve) => {
      frozen = resolve;
    });
    await at.standIn('box', [source], {
      freezeVolumes: async () => {
        frozen();
        await released;
        return {};
      },
    });
    const first = at.snap('one', source);
    await isFrozen;
    for (const second of [
      () => at.snap('one', source),
      () => at.snap('two', source),
      () => at.takeGroup('group', source),
      () => at.driver.client.call('Controller', 'DeleteVolume', { volume_id: source }),
    ]) {
      await expect(second()).rejects.toMatchObject({
        code: status.ABORTED,
        details: expect.stringContaining('CreateSnapshot is at work on'),
      });
    }
    release();
    expect((await first).ready_to_use).toBe(true);
  });
});
