import { describe, expect, it } from 'vitest';
import { parsePodUid, parseSandboxId, parseSnapshotId } from '../../proto/ids.ts';
import { refuseDeletion } from './delete-volume.ts';
import type { VolumeView } from './list-volumes.ts';

const volume: VolumeView = {
  volumeId: 'pool.node.data',
  directory: '/pool/volumes/pool.node.data',
  spec: undefined,
  filesystem: undefined,
  lastOwner: undefined,
  publications: [],
  usedBy: [],
  snapshots: [],
  copies: [],
};
const named = { ...volume, spec: { name: 'data' } as NonNullable<VolumeView['spec']> };
const publication = { podUid: parsePodUid('u1') } as VolumeView['publications'][number];
const snapshot = { snapshotId: parseSnapshotId('pool.node.s_one') } as VolumeView['snapshots'][number];

describe('a volume is deleted', () => {
  it('by its name, or by its id if it cannot be read', () => {
    expect(refuseDeletion(named, 'data')).toBeUndefined();
    expect(refuseDeletion(volume, 'pool.node.data')).toBeUndefined();
  });

  it.each([
    ['under another name', { ...named }, 'date', 'volume pool.node.data is called data, not date'],
    ['while a pod has it', { ...named, usedBy: [parseSandboxId('p1')] }, 'data', 'in use by pod p1'],
    ['while it is published', { ...named, publications: [publication] }, 'data', 'published for pod u1'],
    ['while it has snapshots', { ...named, snapshots: [snapshot] }, 'data', 'has snapshots (pool.node.s_one)'],
  ])('but not %s', (_, view, confirm, refusal) => {
    expect(refuseDeletion(view, confirm)).toContain(refusal);
  });
});
