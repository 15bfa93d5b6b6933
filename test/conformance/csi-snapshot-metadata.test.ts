import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MIB, SIZE, SnapshotNode } from '../support/snapshot-node.ts';

let at: SnapshotNode;
beforeEach(async () => {
  at = await SnapshotNode.create();
});
afterEach(() => at.close());

describe('the metadata of snapshots', () => {
  const ranges = (messages: readonly { block_metadata: readonly object[] }[]) =>
    messages.flatMap(({ block_metadata }) =>
      (block_metadata as { byte_offset: string; size_bytes: string }[]).map(({ byte_offset, size_bytes }) => [
        Number(byte_offset) / MIB,
        Number(size_bytes) / MIB,
      ]),
    );

  it('name what was written, and what was written since', async () => {
    await at.startOnXfs();
    const source = await at.create('source');
    const chunk = 'x'.repeat(MIB);
    for (const offset of [0, 8, 16]) await at.write(source, chunk, offset * MIB);
    const base = (await at.snap('base', source)).snapshot_id;
    await at.write(source, 'y'.repeat(MIB), 8 * MIB);
    await at.write(source, chunk, 40 * MIB);
    const target = (await at.snap('target', source)).snapshot_id;

    const allocated = await at.driver.client.stream('GetMetadataAllocated', { snapshot_id: base });
    expect(allocated[0]).toMatchObject({
      block_metadata_type: 'VARIABLE_LENGTH',
      volume_capacity_bytes: String(SIZE),
    });
    expect(ranges(allocated)).toEqual([
      [0, 1],
      [8, 1],
      [16, 1],
    ]);
    const delta = { base_snapshot_id: base, target_snapshot_id: target };
    const changed = [
      [8, 1],
      [40, 1],
    ];
    expect(ranges(await at.driver.client.stream('GetMetadataDelta', delta))).toEqual(changed);
    const one = await at.driver.client.stream('GetMetadataDelta', { ...delta, max_results: 1 });
    expect(one.map(({ block_metadata }) => block_metadata.length)).toEqual([1, 1]);
    const later = await at.driver.client.stream('GetMetadataDelta', { ...delta, starting_offset: 9 * MIB });
    expect(ranges(later)).toEqual([[40, 1]]);
    const same = { base_snapshot_id: base, target_snapshot_id: base };
    expect(await at.driver.client.stream('GetMetadataDelta', same)).toMatchObject([{ block_metadata: [] }]);
  });

  it('are refused by the tables of the specification', async () => {
    await at.startOnXfs();
    const [a, b] = [await at.create('a'), await at.create('b')];
    const [base, stranger] = [(await at.snap('a', a)).snapshot_id, (await at.snap('b', b)).snapshot_id];
    const { stream } = at.driver.client;
    const both = { base_snapshot_id: base, target_snapshot_id: base };
    for (const [verb, request, code] of [
      ['GetMetadataAllocated', {}, status.INVALID_ARGUMENT],
      ['GetMetadataAllocated', { snapshot_id: 'none' }, status.NOT_FOUND],
      ['GetMetadataAllocated', { snapshot_id: base, starting_offset: -1 }, status.OUT_OF_RANGE],
      ['GetMetadataAllocated', { snapshot_id: base, starting_offset: SIZE + 1 }, status.OUT_OF_RANGE],
      ['GetMetadataAllocated', { snapshot_id: base, max_results: -1 }, status.INVALID_ARGUMENT],
      ['GetMetadataDelta', { ...both, base_snapshot_id: '' }, status.INVALID_ARGUMENT],
      ['GetMetadataDelta', { ...both, target_snapshot_id: '' }, status.INVALID_ARGUMENT],
      ['GetMetadataDelta', { ...both, base_snapshot_id: 'none' }, status.NOT_FOUND],
      ['GetMetadataDelta', { ...both, target_snapshot_id: 'none' }, status.NOT_FOUND],
      ['GetMetadataDelta', { ...both, base_snapshot_id: stranger }, status.INVALID_ARGUMENT],
      ['GetMetadataDelta', { ...both, starting_offset: SIZE + 1 }, status.OUT_OF_RANGE],
    ] as const) {
      await expect(stream(verb, request), `${verb} ${JSON.stringify(request)}`).rejects.toMatchObject({ code });
    }
    expect(await stream('GetMetadataAllocated', { snapshot_id: base, starting_offset: SIZE })).toHaveLength(1);
  });
});
