import { describe, expect, it } from 'vitest';
import { parsePodUid, parseVolumeId } from '../proto/ids.ts';
import type { VolumeAttachment } from '../proto/volume-attachment.ts';
import { DEFAULT_CLASS } from '../proto/volume-class.ts';
import { kataMountInfo } from './kata-mount-info.ts';

const attachment: VolumeAttachment = {
  volumeId: parseVolumeId('main.0123456789ab.pvc-1'),
  podUid: parsePodUid('a1b2c3'),
  targetPath: '/target',
  volumeDirectory: '/pool/volumes/v',
  readOnly: false,
  accessMode: 'SINGLE_NODE_WRITER',
  mountFlags: [],
  publishedAtMs: 1,
  volumeMode: 'Filesystem',
};
const spec = { fsType: 'xfs', class: { ...DEFAULT_CLASS, fsGroupChangePolicy: 'Always' } } as const;
const start = '{"volume-type":"directvol","device":"/pool/volumes/v/image.raw","fstype":"xfs"';

describe("Kata's mountInfo.json", () => {
  it.each([
    ['leaves out what is empty', {}, '}'],
    ['says ro once', { readOnly: true, mountFlags: ['ro', 'noatime'] }, ',"options":["noatime","ro"]}'],
    ['never says rw', { mountFlags: ['rw', 'noatime'] }, ',"options":["noatime"]}'],
    ['has numbers as text', { fsGroup: 0 }, ',"metadata":{"fsGroup":"0","fsGroupChangePolicy":"Always"}}'],
  ])('%s', (_what, differences, end) => {
    expect(kataMountInfo(spec, { ...attachment, ...differences })).toBe(start + end);
  });
});
