import { describe, expect, it } from 'vitest';
import { parseDiskSerial, parsePodUid, parseVolumeId } from '../../proto/ids.ts';
import { DEFAULT_CLASS, NO_LIMITS } from '../../proto/volume-class.ts';
import type { AccessMode, VolumeSpec } from '../../proto/volume-spec.ts';
import type { Pool } from '../pool/port.ts';
import type { Capability } from '../validate.ts';
import { requireFit, requireSamePublication, requireSoleTarget, toAttachment } from './publication.ts';

const spec: VolumeSpec = {
  volumeId: parseVolumeId('main.0123456789ab.pvc-1'),
  ...{ name: 'pvc-1', capacityBytes: 1 << 20, fsType: 'ext4', serial: parseDiskSerial('s') },
  accessModes: ['SINGLE_NODE_WRITER', 'SINGLE_NODE_READER_ONLY', 'MULTI_NODE_READER_ONLY'],
  ...{ class: DEFAULT_CLASS, limits: NO_LIMITS, isEphemeral: false, createdAtMs: 1 },
};
// What is checked of a publication asks the pool for names alone.
const pool = { name: 'main', directoryOf: (id: string) => `/pool/volumes/${id}` } as unknown as Pool;
const found = { pool, spec };
const capability: Capability = {
  ...{ volumeMode: 'Filesystem', accessMode: 'SINGLE_NODE_WRITER', fsType: 'ext4', mountFlags: [], fsGroup: undefined },
};
const place = { targetPath: '/target', podUid: parsePodUid('pod-1'), readOnly: false };
const wanted = toAttachment(found, capability, place);

describe('an attachment', () => {
  it.each<[AccessMode, boolean, boolean]>([
    ['SINGLE_NODE_WRITER', false, false],
    ['SINGLE_NODE_WRITER', true, true],
    ['SINGLE_NODE_READER_ONLY', false, true],
    ['MULTI_NODE_READER_ONLY', false, true],
  ])('of mode %s, published with readonly %s, is read-only: %s', (accessMode, readOnly, expected) => {
    const attachment = toAttachment(found, { ...capability, accessMode }, { ...place, readOnly });
    expect(attachment).toMatchObject({
      accessMode,
      readOnly: expected,
      volumeDirectory: `/pool/volumes/${spec.volumeId}`,
    });
  });
});

describe('a capability', () => {
  it.each([
    [
      'a mode that the volume has not',
      { accessMode: 'SINGLE_NODE_MULTI_WRITER' },
      {},
      /without SINGLE_NODE_MULTI_WRITER/,
    ],
    ['another file system', { fsType: 'xfs' }, {}, /its file system is ext4, not xfs/],
    ['block mode of stock Kata', { volumeMode: 'Block', fsType: undefined }, { consumer: 'kata' }, /stock Kata/],
  ] as const)('of %s does not fit', (_what, differences, ofClass, message) => {
    const volume = { pool, spec: { ...spec, class: { ...DEFAULT_CLASS, ...ofClass } } };
    expect(() => requireFit(volume, { ...capability, ...differences })).toThrow(message);
  });

  it('of the volume fits, in block mode too', () => {
    requireFit(found, capability);
    requireFit(found, { ...capability, volumeMode: 'Block', fsType: undefined });
  });
});

describe('a second target', () => {
  it('is refused to a volume of a single writer, and to one of stock Kata', () => {
    const sole = { pool, spec: { ...spec, accessModes: ['SINGLE_NODE_SINGLE_WRITER' as const] } };
    const kata = { pool, spec: { ...spec, class: { ...DEFAULT_CLASS, consumer: 'kata' as const } } };
    expect(() => requireSoleTarget(sole, [wanted])).toThrow(
      'has a single writer, and is published for pod pod-1 at /target',
    );
    expect(() => requireSoleTarget(kata, [wanted])).toThrow('is for stock Kata');
    requireSoleTarget(sole, []);
    requireSoleTarget(found, [wanted]);
  });
});

describe('a repeated publication', () => {
  it('is the same but for its time', () => {
    requireSamePublication(wanted, { ...wanted, publishedAtMs: wanted.publishedAtMs + 1 });
    requireSamePublication({ ...wanted, device: { major: 7, minor: 1 } }, wanted);
  });

  it.each([
    [{ readOnly: true }, 'exists', /with readOnly true/],
    [{ volumeMode: 'Block' }, 'exists', /with volumeMode Block/],
    [{ fsGroup: 5 }, 'exists', /with fsGroup 5/],
    [{ mountFlags: ['noatime'] }, 'exists', /with other mount_flags/],
    [{ podUid: parsePodUid('pod-2') }, 'exists', /for pod pod-2/],
    [{ volumeId: parseVolumeId('main.0123456789ab.pvc-2') }, 'precondition', /is taken by volume .*pvc-2/],
  ] as const)('where there is %j is refused', (differences, code, message) => {
    const existing = { ...wanted, ...differences } as typeof wanted;
    expect(() => requireSamePublication(existing, wanted)).toThrow(expect.objectContaining({ code }));
    expect(() => requireSamePublication(existing, wanted)).toThrow(message);
  });
});
