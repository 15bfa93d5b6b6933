import { afterEach, beforeEach, expect, it } from 'vitest';
import { parsePodUid } from '../../proto/ids.ts';
import type { VolumeAttachment } from '../../proto/volume-attachment.ts';
import { DEFAULT_CLASS, type VolumeClass } from '../../proto/volume-class.ts';
import type { VolumeSpec } from '../../proto/volume-spec.ts';
import { createLog } from '../../runtime/system/log.ts';
import { createNodeSystem } from '../../runtime/system/node/system.ts';
import { Attachments } from '../attachments.ts';
import { createTestShims, type TestShims } from '../pod-shims.fixture.ts';
import { PodShims } from '../pod-shims.ts';
import type { LeaseState } from '../pool/port.ts';
import { createMemoryPool, type MemoryPool, NODE_KEY } from '../snapshots/memory-pool.fixture.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import { VolumeConditions } from '../volume-conditions.ts';
import { Volumes } from '../volumes.ts';
import { createFrom } from './create-from.ts';

const IN_VM: LeaseState = { kind: 'vm', podUid: 'pod-1', sandboxId: 'box' };
const attachment: Omit<VolumeAttachment, 'volumeId'> = {
  ...{ podUid: parsePodUid('pod-2'), targetPath: '/t', volumeDirectory: '/v', readOnly: false, mountFlags: [] },
  ...{ accessMode: 'SINGLE_NODE_WRITER', volumeMode: 'Filesystem', publishedAtMs: 1 },
};

let pods: TestShims;
let events: string[];
let warnings: string[];
let attachments: Attachments;
beforeEach(async () => {
  pods = await createTestShims();
  events = [];
  warnings = [];
  attachments = await Attachments.open(createNodeSystem(), pods.run.root);
});
afterEach(() => pods.close());

const openPool = (kind: 'instant' | 'copy' = 'instant') => createMemoryPool('main', events, kind);

/** Makes `copy` of the volume, of its class but for `changes`. */
function copyOf(pool: MemoryPool, source: VolumeSpec, changes: Partial<VolumeClass> = {}): Promise<void> {
  const volumes = new Volumes(NODE_KEY, [pool]);
  const wanted = { ...pool.add('copy'), class: { ...DEFAULT_CLASS, ...changes } };
  const context = {
    ...{ volumes, attachments, shims: new PodShims(createNodeSystem(), pods.run), snapshots: {} as Snapshots },
    ...{ nodeId: 'node-1', conditions: new VolumeConditions(), publications: undefined, maxVolumesPerNode: 0 },
  };
  const log = createLog((line) => warnings.push(line), 'warn');
  return createFrom({ kind: 'volume', volumeId: source.volumeId }, { pool, spec: wanted }, context, log);
}

const startGuest = () =>
  pods.start('box', {
    measureVolume: async () => ({ capacityBytes: 1 << 20 }),
    freezeVolumes: async () => {
      events.push('freeze');
      return {};
    },
    thawVolumes: async () => {
      events.push('thaw');
      return { wasHeld: true };
    },
  });

it('keeps every VM from a volume for as long as it is copied, and not longer', async () => {
  const pool = openPool();
  await copyOf(pool, pool.add('a'));
  expect(events).toEqual(['lease a', 'copy a', 'release a', 'place copy']);
  expect(warnings).toEqual([]);
});

it('thaws the guest that has the volume as soon as the copy has the content', async () => {
  const pool = openPool();
  await startGuest();
  await copyOf(pool, pool.add('a', IN_VM));
  expect(events).toEqual(['freeze', 'copy a', 'thaw', 'place copy']);
  expect(warnings).toEqual([]);
});

it('says so where the guest could not be frozen', async () => {
  const pool = openPool();
  await copyOf(pool, pool.add('a', IN_VM));
  expect(events).toEqual(['copy a', 'place copy']);
  expect(warnings.join()).toContain('the shim of its pod does not listen');
});

it('waits for who has the lease for a moment', async () => {
  const pool = openPool();
  const held = pool.add('a', { kind: 'other', words: 'it is looked at' });
  await expect(copyOf(pool, held)).rejects.toMatchObject({ code: 'busy' });
  expect(events).toEqual([]);
});

it.each([
  ['in a pool that copies', 'copy', {}],
  ['that is to be thick', 'instant', { provisioning: 'thick' }],
] as const)('leaves the source to a copy %s, which holds it itself', async (_, kind, changes) => {
  const pool = openPool(kind);
  await startGuest();
  await copyOf(pool, pool.add('a', IN_VM), changes);
  expect(events).toEqual(['copy a', 'place copy']);
});

it.each([
  ['in a pool that copies', 'copy', {}],
  ['that is to be thick', 'instant', { provisioning: 'thick' }],
] as const)('makes no copy %s of what stock Kata may be writing', async (_, kind, changes) => {
  const pool = openPool(kind);
  const kata: VolumeSpec = { ...pool.add('a'), class: { ...DEFAULT_CLASS, consumer: 'kata' } };
  pool.find = (volumeId) => (volumeId === kata.volumeId ? kata : undefined);
  await attachments.save({ ...attachment, volumeId: kata.volumeId });
  await expect(copyOf(pool, kata, changes)).rejects.toMatchObject({ code: 'precondition' });
  expect(events).toEqual([]);
});
