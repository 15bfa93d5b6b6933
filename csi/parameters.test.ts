import { describe, expect, it } from 'vitest';
import { DEFAULT_CLASS } from '../proto/volume-class.ts';
import { agreedFilesystem, parseMutableParameters, parseParameters } from './parameters.ts';
import type { Capability } from './validate.ts';

const parse = (parameters: Record<string, string>) => parseParameters(parameters, 'parameters');

describe('parseParameters', () => {
  it('has a default for everything, and ignores the names that external-provisioner adds', () => {
    const none = { pool: undefined, fsType: undefined, class: DEFAULT_CLASS, saidOfClass: {} };
    expect(parse({ 'csi.storage.k8s.io/pvc/name': 'claim' })).toEqual({
      ...none,
      limits: { iops: 0, bandwidthBytes: 0 },
    });
  });

  it('takes every parameter', () => {
    const parsed = parse({
      ...{ pool: 'a', 'csi.storage.k8s.io/fstype': 'xfs', provisioning: 'thick', cache: 'none', aio: 'native' },
      ...{ queues: '4', iothread: 'true', discard: 'false', fsGroupChangePolicy: 'Always', consumer: 'berth' },
      ...{ mkfsOptions: ' -b  4096 ', iops: '100', bandwidth: '10Mi' },
    });
    expect(parsed).toMatchObject({ pool: 'a', fsType: 'xfs', limits: { iops: 100, bandwidthBytes: 10 * 2 ** 20 } });
    expect(parsed.class).toEqual({
      ...{ provisioning: 'thick', cache: 'none', aio: 'native', queues: 4, iothread: true, discard: false },
      ...{ fsGroupChangePolicy: 'Always', consumer: 'berth', mkfsOptions: ['-b', '4096'] },
    });
    expect(parsed.saidOfClass).toEqual(parsed.class);
  });

  it('keeps the blocks of a thick volume', () => {
    expect(parse({ provisioning: 'thick' })).toMatchObject({
      class: { discard: false },
      saidOfClass: { provisioning: 'thick' },
    });
  });

  it.each<[Record<string, string>, string]>([
    [{ pools: 'a' }, 'parameters["pools"] is unknown; this driver takes pool, csi.storage.k8s.io/fstype, provisioning'],
    [{ constructor: 'a' }, 'parameters["constructor"] is unknown'],
    [{ pool: 'A' }, 'parameters["pool"] is "A", not 1 to 31'],
    [{ 'csi.storage.k8s.io/fstype': 'zfs' }, 'parameters["csi.storage.k8s.io/fstype"] is "zfs"'],
    [{ cache: 'unsafe' }, 'parameters["cache"] is "unsafe", not writeback or none'],
    [{ iothread: 'yes' }, 'parameters["iothread"] is "yes", not true or false'],
    [{ queues: '-1' }, 'parameters["queues"] is "-1", not a whole number from 0 to 1024'],
    [{ queues: '1025' }, 'parameters["queues"] is "1025"'],
    [{ bandwidth: '1MB' }, 'parameters["bandwidth"] is "1MB", not a quantity of bytes like 100Mi'],
    [{ bandwidth: '9007199254740992Ti' }, 'parameters["bandwidth"] is'],
    [{ mkfsOptions: '-d /etc' }, 'parameters["mkfsOptions"] is "-d /etc", but may hold neither a path'],
    [{ mkfsOptions: '-d ..' }, 'parameters["mkfsOptions"] is "-d ..", but may hold neither a path'],
    [{ mkfsOptions: '-J device=LABEL=log' }, 'may hold neither a path or device'],
    [{ aio: 'native' }, 'parameters["aio"] is native, which needs cache none, not writeback'],
    [{ provisioning: 'thick', discard: 'true' }, 'parameters["discard"] is true, but a thick volume keeps'],
    [{ consumer: 'kata', iops: '1' }, 'parameters["iops"] cannot be honoured with consumer kata'],
    [{ consumer: 'kata', cache: 'none' }, 'parameters["cache"] cannot be honoured with consumer kata'],
  ])('refuses %j', (parameters, message) => {
    expect(() => parse(parameters)).toThrow(message);
  });
});

describe('parseMutableParameters', () => {
  it('speaks of what it names alone', () => {
    const parameters = { bandwidth: '1k', 'csi.storage.k8s.io/pvc/name': 'claim' };
    expect(parseMutableParameters(parameters, 'm')).toEqual({ bandwidthBytes: 1000 });
    expect(parseMutableParameters({}, 'm')).toEqual({});
  });

  it('refuses what is fixed', () => {
    expect(() => parseMutableParameters({ pool: 'a' }, 'm')).toThrow('m["pool"] cannot change');
    expect(() => parseMutableParameters({ toString: 'a' }, 'm')).toThrow('m["toString"] cannot change');
  });
});

describe('agreedFilesystem', () => {
  const none: Capability = {
    volumeMode: 'Filesystem',
    accessMode: 'SINGLE_NODE_WRITER',
    fsType: undefined,
    mountFlags: [],
    fsGroup: undefined,
  };

  it('is one for parameters and capabilities', () => {
    expect(agreedFilesystem({ fsType: 'xfs' }, [none], 'c')).toBe('xfs');
    expect(agreedFilesystem({ fsType: undefined }, [none], 'c')).toBeUndefined();
    const ext4 = { ...none, fsType: 'ext4' } as const;
    expect(() => agreedFilesystem({ fsType: 'xfs' }, [none, ext4], 'c')).toThrow('c[1].mount.fs_type is ext4');
  });
});
