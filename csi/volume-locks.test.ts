import { expect, it } from 'vitest';
import { VolumeLocks } from './volume-locks.ts';

it('lets one verb at a time work on a volume, and names it to the other', () => {
  const locks = new VolumeLocks();
  const release = locks.take(['a.key.name'], 'NodePublishVolume');
  expect(() => locks.take(['a.key.name'], 'DeleteVolume')).toThrow('NodePublishVolume is at work on a.key.name');
  expect(() => locks.take(['b.key.name'], 'CreateVolume')).toThrow(expect.objectContaining({ code: 'busy' }));
  locks.take(['a.key.other'], 'DeleteVolume')();
  expect(() => locks.take(['a.key.free', 'a.key.name'], 'CreateSnapshot')).toThrow(
    'NodePublishVolume is at work on a.key.name',
  );
  locks.take(['a.key.free'], 'DeleteVolume')();
  release();
  locks.take(['a.key.name'], 'DeleteVolume')();
});
