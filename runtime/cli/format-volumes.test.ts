import { describe, expect, it } from 'vitest';
import { parsePodUid, parseSandboxId, parseSnapshotId, parseVolumeId } from '../../proto/ids.ts';
import { DEFAULT_CLASS, NO_LIMITS } from '../../proto/volume-class.ts';
import { volumeSpecRecord } from '../../proto/volume-spec.ts';
import { formatSize, formatVolume, formatVolumes } from './format-volumes.ts';
import type { VolumeView } from './list-volumes.ts';
import { parsePoolFlag, requirePool } from './pool-flag.ts';

const ID = parseVolumeId('pool.node.data');
const view: VolumeView = {
  volumeId: ID,
  directory: '/pool/volumes/pool.node.data',
  spec: volumeSpecRecord.decode(
    JSON.stringify({
      v: 2,
      volumeId: ID,
      name: 'data',
      capacityBytes: 1 << 30,
      fsType: 'ext4',
      accessModes: ['SINGLE_NODE_WRITER'],
      serial: 'abc',
      class: DEFAULT_CLASS,
      limits: NO_LIMITS,
      isEphemeral: false,
      createdAtMs: 0,
    }),
    'test',
  ),
  filesystem: { state: 'formatted', uuid: 'f00' },
  lastOwner: { podUid: parsePodUid('u1'), sandboxId: parseSandboxId('p1'), node: '', takenAtMs: 0 },
  publications: [
    {
      volumeId: ID,
      podUid: parsePodUid('u1'),
      targetPath: '/t',
      volumeDirectory: '/pool/volumes/pool.node.data',
      readOnly: true,
      accessMode: 'SINGLE_NODE_WRITER',
      mountFlags: [],
      publishedAtMs: 1,
      volumeMode: 'Filesystem',
    },
  ],
  usedBy: [parseSandboxId('p1')],
  snapshots: [],
  copies: [],
};
const bare: VolumeView = {
  ...view,
  volumeId: 'gone',
  spec: undefined,
  filesystem: undefined,
  lastOwner: undefined,
  publications: [],
  usedBy: [],
};

describe('volumes', () => {
  it('are a table', () => {
    expect(formatVolumes([bare, view])).toBe(
      [
        'VOLUME          SIZE   FS    FORMATTED  USED BY  PUBLISHED FOR',
        'gone            -      -     -          -        -',
        'pool.node.data  1 GiB  ext4  formatted  p1       u1',
        '',
      ].join('\n'),
    );
  });

  it('are told one fact a line', () => {
    const text = formatVolume(view);
    expect(text).toMatch(/^formatted +formatted f00$/m);
    expect(text).toMatch(/^lease last taken +1970-01-01T00:00:00.000Z by sandbox p1 of pod u1$/m);
    expect(text).toMatch(/^published +for pod u1 at \/t, SINGLE_NODE_WRITER, read-only$/m);
    expect(text).toMatch(/^class +thin, cache writeback, aio threads, a queue for each CPU, discard$/m);
    expect(text).toMatch(/^limits +none$/m);
    expect(text).not.toMatch(/^(problem|snapshot|made of)/m);
    expect(formatVolume(bare)).toMatch(/^used by +no VM$/m);
  });

  it('tell what is wrong with them, what slows them down, where they come from and what is kept of them', () => {
    const snapshotId = parseSnapshotId('pool.node.s_one');
    const snapshot = {
      snapshotId,
      name: 'one',
      sourceVolumeId: ID,
      sizeBytes: 1,
      fsType: 'ext4',
      createdAtMs: 0,
    } as const;
    const { spec } = view;
    const text = formatVolume({
      ...view,
      ...(spec === undefined
        ? {}
        : {
            spec: { ...spec, limits: { iops: 9, bandwidthBytes: 1 << 20 }, source: { kind: 'snapshot', snapshotId } },
          }),
      filesystem: { state: 'formatted', problem: 'it wants a person' },
      snapshots: [
        { ...snapshot, consistency: 'frozen', remark: '' },
        { ...snapshot, consistency: 'crash', remark: 'the shim of its pod does not listen' },
      ],
      copies: ['copy-20261121T163005.007Z.raw'],
    });
    expect(text).toMatch(/^limits +9 operations\/s, 1 MiB\/s$/m);
    expect(text).toMatch(/^made of +snapshot pool\.node\.s_one$/m);
    expect(text).toMatch(/^problem +it wants a person$/m);
    expect(text).toMatch(/^copy +copy-20261121T163005\.007Z\.raw$/m);
    expect(text).toMatch(/^snapshot +pool\.node\.s_one, 1970-01-01T00:00:00.000Z, frozen$/m);
    expect(text).toMatch(/^snapshot +pool\.node\.s_one, .*Z, crash, the shim of its pod does not listen$/m);
  });

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [64 << 20, '64 MiB'],
  ])('of %d bytes', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});

describe('--pool', () => {
  it('is what berth-csi takes', () => {
    expect(parsePoolFlag('fast=image-file:/srv/a')).toEqual({ name: 'fast', directory: '/srv/a' });
    expect(parsePoolFlag('fast=image-file:/srv/a,overcommit=2')).toEqual({ name: 'fast', directory: '/srv/a' });
  });
  it('is not taken for empty where there is no pool', () => {
    expect(() => requirePool({ name: 'fast', directory: '/proc' })).toThrow(
      '/proc is no pool of berth-csi; --pool fast',
    );
  });
  it.each([
    'fast',
    'fast=/srv',
    '=image-file:/srv',
    'fast=zfs:/srv',
    'fast=image-file:',
    'fast=image-file:,overcommit=2',
  ])('refuses %s', (value) => {
    expect(() => parsePoolFlag(value)).toThrow('--pool');
  });
});
