import { expect, it } from 'vitest';
import { VolumeLocks } from './volume-locks.ts';

it('lets one verb at a time work on a volume, and names it to the other', () => {
  const locks = new VolumeLocks();
  const release = locks.take({ locks: ['a.key.name'] }, 'NodePublishVolume');
  const inTheWay = 'NodePublishVolume is at work on a.key.name';
  expect(() => locks.take({ locks: ['a.key.name'] }, 'DeleteVolume')).toThrow(inTheWay);
  expect(() => locks.take({ shares: ['a.key.name'] }, 'CreateVolume')).toThrow(inTheWay);
  expect(() => locks.take({ locks: ['b.key.name'] }, 'CreateVolume')).toThrow(
    expect.objectContaining({ code: 'busy' }),
  );
  locks.take({ locks: ['a.key.other'] }, 'DeleteVolume')();
  expect(() => locks.take({ locks: ['a.key.free', 'a.key.name'] }, 'CreateSnapshot')).toThrow(inTheWay);
  locks.take({ locks: ['a.key.free'] }, 'DeleteVolume')();
  release();
  locks.take({ locks: ['a.key.name'] }, 'DeleteVolume')();
});

it('lets many copy one source, which nobody may remove meanwhile', () => {
  const locks = new VolumeLocks();
  const copies = ['one', 'two'].map((name) =>
    locks.take({ locks: [`a.key.${name}`], shares: ['a.key.source'] }, 'CreateVolume'),
  );
  for (const release of copies) {
    expect(() => locks.take({ locks: ['a.key.source'] }, 'DeleteVolume')).toThrow('CreateVolume is at work');
    release();
  }
  locks.take({ locks: ['a.key.source'] }, 'DeleteVolume')();
});

it('a verb that works on what it also shares is not in its own way', () => {
  const locks = new VolumeLocks();
  locks.take({ locks: ['a.key.v'], shares: ['a.key.v'] }, 'CreateVolume')();
  locks.take({ locks: ['a.key.v'] }, 'DeleteVolume')();
});

it('takes paths whole', () => {
  const locks = new VolumeLocks();
  locks.take({ locks: ['/a.x/t'] }, 'NodePublishVolume');
  locks.take({ locks: ['/b.x/t'] }, 'NodePublishVolume');
  expect(() => locks.take({ locks: ['/a.x/t'] }, 'NodePublishVolume')).toThrow('at work on /a.x/t');
});
