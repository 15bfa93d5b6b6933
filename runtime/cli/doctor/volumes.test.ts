import { expect, it } from 'vitest';
import { volumeAttachmentRecord } from '../../../proto/volume-attachment.ts';
import type { Mount } from '../../system/node/mounts.ts';
import { judgePublications, type PublicationFacts } from './volumes.ts';

const published: PublicationFacts = {
  record: volumeAttachmentRecord.decode(
    JSON.stringify({
      v: 2,
      volumeId: 'pool.node.data',
      podUid: 'u1',
      targetPath: '/kubelet/mount',
      volumeDirectory: '/pool/volumes/pool.node.data',
      readOnly: false,
      accessMode: 'SINGLE_NODE_WRITER',
      mountFlags: [],
      publishedAtMs: 1,
      volumeMode: 'Filesystem',
    }),
    'test',
  ),
  canonicalPath: '/var/kubelet/mount',
  hasVolume: true,
  device: undefined,
};
const device = { major: 7, minor: 3 };
const block: PublicationFacts = {
  ...published,
  record: { ...published.record, volumeMode: 'Block', device },
  device,
};
const mount = (mountPoint: string, source: string, fsType = 'tmpfs'): Mount => ({
  id: 2,
  parentId: 1,
  root: '/',
  mountPoint,
  fsType,
  source,
  options: [],
});
const placeholder = mount('/var/kubelet/mount', 'berth:pool.node.data');

it.each([
  ['record and placeholder', [published], [placeholder], []],
  ['mounts of others', [], [mount('/x', 'tmpfs'), mount('/y', 'berth:z', 'ext4')], []],
  ['no placeholder', [published], [], ['placeholder is not there']],
  ['something over the placeholder', [published], [{ ...placeholder, source: 'other' }], ['placeholder is not there']],
  ['a block volume and its device', [block], [], []],
  ['another device', [{ ...block, device: { major: 7, minor: 4 } }], [], ['placeholder is not there']],
  ['no device', [{ ...block, device: undefined }], [placeholder], ['placeholder is not there']],
  ['no volume', [{ ...published, hasVolume: false }], [placeholder], ['there is no /pool/volumes']],
  ['no record', [], [placeholder], ['no record says']],
  ['a record of another path', [published], [placeholder, mount('/z', 'berth:pool.node.data')], ['/z stands for']],
])('%s', (_, publications, mounts, words) => {
  const findings = judgePublications(publications, mounts);
  expect(findings.map(({ what }) => what)).toEqual(words.map((word) => expect.stringContaining(word)));
  expect(findings.filter(({ repair, mend }) => repair !== undefined || mend === undefined)).toEqual([]);
});
