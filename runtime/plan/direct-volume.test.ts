import { describe, expect, it } from 'vitest';
import type { FaultCode } from '../../proto/fault.ts';
import { facts, request, target } from './plan.fixture.ts';
import { planPod } from './plan.ts';
import type { DirectVolume } from './types.ts';

const DISK: DirectVolume = { device: '/dev/sdx', deviceKind: 'block', fsType: 'ext4', options: [], metadata: {} };
const place = (containerPath: string, changes: { readOnly?: boolean; subPath?: string } = {}) => ({
  targetPath: target('d'),
  containerPath,
  readOnly: false,
  subPath: '',
  isDevice: false,
  ...changes,
});

function plan(volume: Partial<DirectVolume>, ...places: ReturnType<typeof place>[]) {
  const asked = request({ volumes: places.length > 0 ? places : [place('/data')], vcpus: 2 });
  return planPod(asked, facts({ direct: new Map([[target('d'), { ...DISK, ...volume }]]) }));
}

function planned(...args: Parameters<typeof plan>) {
  const result = plan(...args);
  if (result.kind === 'refusal') throw result.fault;
  return result.plan;
}

describe('a volume of another driver', () => {
  it('is attached, mounted as it is, and bound into the container', () => {
    const { vm, guest, choices } = planned({ options: ['rbind', 'rw', 'noatime'] });
    expect(vm.disks[1]).toMatchObject({ path: '/dev/sdx', isDevice: true, serial: 'direct-0', readOnly: false });
    expect(guest.volumes).toEqual([]);
    expect(guest.direct).toEqual([
      {
        serial: 'direct-0',
        fsType: 'ext4',
        mountPoint: '/run/berth/volumes/direct-0',
        options: ['noatime'],
        readOnly: false,
        ownership: undefined,
      },
    ]);
    expect(guest.containers[0]?.spec.mounts).toEqual([
      { destination: '/data', type: 'bind', source: '/run/berth/volumes/direct-0', options: ['rbind', 'rw'] },
    ]);
    expect(choices[0]?.reason).toMatch(/no lease of it, QEMU's image lock stands alone$/);
  });

  it('is one disk however many places show it, or parts of it', () => {
    const { vm, guest } = planned({}, place('/a', { readOnly: true }), place('/b', { subPath: 'c' }));
    expect(vm.disks).toHaveLength(2);
    expect(vm.disks[1]?.readOnly).toBe(false);
    expect(guest.containers[0]?.binds).toEqual([{ name: 'volume-1', serial: 'direct-0', subPath: 'c' }]);
    expect(guest.containers[0]?.spec.mounts?.map(({ options }) => options?.at(-1))).toEqual(['ro', 'rw']);
  });

  it.each([
    ['its options', { options: ['ro'] }, place('/data')],
    ['every place', {}, place('/data', { readOnly: true })],
  ])('is read-only by %s', (_, volume, asked) => {
    const { vm, guest } = planned({ ...volume, metadata: { fsGroup: '7' } }, asked);
    expect(vm.disks[1]?.readOnly).toBe(true);
    expect(guest.direct[0]).toMatchObject({ readOnly: true, ownership: undefined });
  });

  it.each([
    [{ fsGroup: '7' }, { gid: 7, policy: 'Always' }],
    [
      { fsGroup: '7', fsGroupChangePolicy: 'OnRootMismatch' },
      { gid: 7, policy: 'OnRootMismatch' },
    ],
  ])('is given to the group of %j', (metadata, ownership) => {
    expect(planned({ metadata }).guest.direct[0]?.ownership).toEqual(ownership);
  });

  it('is never formatted, and says so', () => {
    expect(planned({ metadata: { createFilesystem: 'true' } }).notices).toEqual([
      expect.stringMatching(/createFilesystem of mountInfo\.json is ignored/),
    ]);
  });

  it.each<[string, Partial<DirectVolume>, FaultCode, RegExp]>([
    ['is not there', { deviceKind: 'absent' }, 'not-found', /there is no \/dev\/sdx/],
    ['is a directory', { deviceKind: 'directory' }, 'unsupported', /neither a block device nor a file/],
    ['has a strange file system', { fsType: 'zfs' }, 'unsupported', /no file system zfs; it has ext4, xfs, btrfs/],
    ['is to be encrypted', { metadata: { encryptionKey: 'ephemeral' } }, 'unsupported', /encryption/],
    ['is of a strange group', { metadata: { fsGroup: 'x' } }, 'invalid', /fsGroup x/],
  ])('is refused if it %s', (_, volume, code, message) => {
    expect(plan(volume)).toMatchObject({
      kind: 'refusal',
      fault: { code, message: expect.stringMatching(message) },
    });
  });
});
