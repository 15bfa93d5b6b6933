import { expect, it } from 'vitest';
import { parsePodUid, parseVolumeId } from '../proto/ids.ts';
import type { VolumeAttachment } from '../proto/volume-attachment.ts';
import type { Mount } from '../runtime/system/node/mounts.ts';
import { findOddities } from './survey.ts';

const published = (name: string, changes: Partial<VolumeAttachment> = {}) => ({
  path: `/real/${name}`,
  attachment: {
    ...{ volumeId: parseVolumeId(`a.key.${name}`), podUid: parsePodUid('pod'), targetPath: `/link/${name}` },
    ...{ volumeDirectory: '/pool', readOnly: false, accessMode: 'SINGLE_NODE_WRITER', mountFlags: [] },
    ...{ publishedAtMs: 1, volumeMode: 'Filesystem', ...changes },
  } as VolumeAttachment,
});
const mount = (name: string, source = `berth:a.key.${name}`, fsType = 'tmpfs'): Mount =>
  ({ mountPoint: `/real/${name}`, source, fsType, root: '/' }) as Mount;
const messages = (...given: Parameters<typeof findOddities>): string[] =>
  findOddities(...given).map(({ message, fields }) => `${message}: ${fields['volumeId']}`);

it('finds nothing where all is as it should be', () => {
  const all = [published('v'), published('raw', { volumeMode: 'Block' })];
  const mounts = [mount('v'), mount('v-part', 'berth:a.key.v'), mount('other', 'tmpfs')];
  expect(findOddities(all, mounts, () => true)).toEqual([]);
});

it.each([
  ['nothing stands at the target path of a published volume: a.key.v', [published('v')], [mount('v', 'tmpfs')]],
  [
    'nothing stands at the target path of a published volume: a.key.v',
    [published('v')],
    [mount('v', 'berth:a.key.v', 'ext4')],
  ],
  ['a placeholder stands for a volume that is not published: a.key.v', [], [mount('v')]],
])('says that %s', (message, all, mounts) => {
  expect(messages(all, mounts, () => true)).toEqual([message]);
});

it('says that a volume is gone under its publication', () => {
  expect(messages([published('v')], [mount('v')], () => false)).toEqual([
    'a published volume is in no pool of this server: a.key.v',
  ]);
});
