import { describe, expect, it, test } from 'vitest';
import { parseVolumeId } from '../proto/ids.ts';
import { nodeKeyOfGroup, splitSnapshotId, toGroupId, toMemberId, toSnapshotId } from './snapshot-id.ts';
import { splitVolumeId, toNodeKey, toVolumeId } from './volume-id.ts';

const KEY = toNodeKey('node-1');
const VOLUME = parseVolumeId(`fast.${KEY}.pvc-1`);

describe('toSnapshotId', () => {
  it.each([
    ['snapshot-8d1f', /\.s_snapshot-8d1f$/],
    ['Snapshot', /\.s_x_[0-9a-f]{40}$/],
    ['s_1', /\.s_x_[0-9a-f]{40}$/],
    ['g_1', /\.s_x_[0-9a-f]{40}$/],
    ['ü', /\.s_x_[0-9a-f]{40}$/],
    ['a'.repeat(64), /\.s_x_[0-9a-f]{40}$/],
  ])('makes of the name %j an id that can be split again', (name, form) => {
    const id = toSnapshotId('fast', KEY, name);
    expect(id).toMatch(form);
    expect(splitSnapshotId(id)).toEqual({ pool: 'fast', nodeKey: KEY, name: id.split('.')[2] });
  });

  it('keeps within the 128 bytes of CSI', () => {
    expect(toSnapshotId('p'.repeat(31), KEY, 'n'.repeat(63)).length).toBeLessThanOrEqual(128);
  });

  it.each(['v', 's_v', 'x_0', 'S'])('never makes the id of a volume, whatever the name (%j)', (name) => {
    expect(splitVolumeId(toSnapshotId('fast', KEY, name))).toBeUndefined();
    expect(splitSnapshotId(toVolumeId('fast', KEY, name))).toBeUndefined();
  });
});

test('a member of a group has an id of its own for each group and volume', () => {
  const other = parseVolumeId(`fast.${KEY}.pvc-2`);
  const [one, two] = [toGroupId(KEY, 'one'), toGroupId(KEY, 'two')];
  const ids = [toMemberId('fast', KEY, one, VOLUME), toMemberId('fast', KEY, one, other)];
  ids.push(toMemberId('fast', KEY, two, VOLUME));
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(splitSnapshotId(id)).toMatchObject({ pool: 'fast', nodeKey: KEY });
});

test.each(['', 'snap', `fast.${KEY}.s_`, `fast.${KEY}.s_a.b`, `fast.${KEY}.s_g_12`, `${KEY}.g_1`, 'fast.12.s_a'])(
  'no snapshot has the id %j',
  (id) => {
    expect(splitSnapshotId(id)).toBeUndefined();
  },
);

describe('toGroupId', () => {
  it.each(['groupsnapshot-1', 'Group', 'g_1'])('names the node that has the group (%j)', (name) => {
    expect(nodeKeyOfGroup(toGroupId(KEY, name))).toBe(KEY);
  });

  it.each(['', 'group', `${KEY}.s_a`, `${KEY}.g_`, `fast.${KEY}.g_a`, `${KEY}.g_A`])('does not know %j', (id) => {
    expect(nodeKeyOfGroup(id)).toBeUndefined();
  });
});
