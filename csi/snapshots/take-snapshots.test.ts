import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import type { VolumeId } from '../../proto/ids.ts';
import type { ShimMethods } from '../../proto/shim.ts';
import type { VolumeSpec } from '../../proto/volume-spec.ts';
import { createLog } from '../../runtime/system/log.ts';
import { createNodeSystem } from '../../runtime/system/node/system.ts';
import type { Handlers } from '../../runtime/system/rpc/ttrpc-server.ts';
import { createTestShims, type TestShims } from '../pod-shims.fixture.ts';
import { PodShims } from '../pod-shims.ts';
import type { LeaseState } from '../pool/port.ts';
import { toSnapshotId } from '../snapshot-id.ts';
import { createMemoryPool, type MemoryPool, NODE_KEY } from './memory-pool.fixture.ts';
import { takeSnapshots } from './take-snapshots.ts';

let pods: TestShims;
let pool: MemoryPool;
let events: string[];
let warnings: string[];
let cancel: AbortController;
let foreignUse: string | undefined;
beforeEach(async () => {
  foreignUse = undefined;
  pods = await createTestShims();
  events = [];
  warnings = [];
  pool = createMemoryPool('main', events);
  cancel = new AbortController();
});
afterEach(() => pods.close());

const inVm = (sandboxId: string): LeaseState => ({ kind: 'vm', podUid: `pod-${sandboxId}`, sandboxId });

/** A guest that freezes and thaws; `changes` are what it does otherwise. */
function startGuest(sandboxId: string, changes: Partial<Handlers<ShimMethods>> = {}) {
  const names = (ids: readonly string[]) => ids.map((volumeId) => volumeId.split('.')[2]).join(' ');
  return pods.start(sandboxId, {
    measureVolume: async () => ({ capacityBytes: 1 << 20 }),
    freezeVolumes: async ({ volumeIds }) => {
      events.push(`freeze ${sandboxId}: ${names(volumeIds)}`);
      return {};
    },
    thawVolumes: async ({ volumeIds }) => {
      events.push(`thaw ${sandboxId}: ${names(volumeIds)}`);
      return { wasHeld: true };
    },
    ...changes,
  });
}

async function take(...specs: readonly VolumeSpec[]) {
  const wanted = specs.map(({ volumeId, name, capacityBytes, fsType }) => ({
    pool,
    foreignUse,
    snapshot: {
      ...{ snapshotId: toSnapshotId('main', NODE_KEY, name), name, sourceVolumeId: volumeId },
      ...{ sizeBytes: capacityBytes, fsType, createdAtMs: 2 },
    },
  }));
  const log = createLog((line) => warnings.push(line), 'warn');
  const shims = new PodShims(createNodeSystem(), pods.run);
  return takeSnapshots(wanted, shims, { log, signal: cancel.signal });
}

const failAt = (volumeId: VolumeId, when: 'copying' | 'recording') =>
  pool.faults.set(volumeId, { when, fault: new Fault('exhausted', 'the pool is full') });

describe('of one volume', () => {
  it('holds the lease while it copies what no VM has', async () => {
    expect(await take(pool.add('a'))).toMatchObject([{ consistency: 'detached', remark: '' }]);
    expect(events).toEqual(['lease a', 'copy a', 'release a']);
    expect(warnings).toEqual([]);
  });

  it('does not call it detached when somebody may have it without its lease', async () => {
    foreignUse = 'it is published for stock Kata';
    expect(await take(pool.add('a'))).toMatchObject([{ consistency: 'crash', remark: foreignUse }]);
    expect(warnings.join()).toContain(foreignUse);
  });

  it('freezes the VM that has it until the copy is there, and not longer', async () => {
    await startGuest('box');
    expect(await take(pool.add('a', inVm('box')))).toMatchObject([{ consistency: 'frozen', remark: '' }]);
    expect(events).toEqual(['freeze box: a', 'copy a', 'thaw box: a']);
  });

  it.each<[string, Partial<Handlers<ShimMethods>>, string, string[]]>([
    [
      'thawed by itself too early',
      { thawVolumes: async () => ({ wasHeld: false }) },
      'its guest had thawed by itself before the copy was whole',
      ['freeze box: a', 'copy a'],
    ],
    [
      'cannot freeze',
      {
        freezeVolumes: async () => {
          throw new Fault('precondition', 'the file system is read-only');
        },
      },
      'its guest could not be frozen: the file system is read-only',
      ['thaw box: a', 'copy a'],
    ],
    [
      'does not say whether it was frozen to the end',
      {
        thawVolumes: async () => {
          throw new Fault('timeout', 'the guest does not answer');
        },
      },
      'its guest could not be asked whether it was frozen to the end: the guest does not answer',
      ['freeze box: a', 'copy a'],
    ],
    [
      'stands still',
      {
        measureVolume: async () => ({ problem: 'the pool is out of space' }),
        freezeVolumes: async () => {
          throw new Fault('busy', 'the VM waits for space in the pool');
        },
      },
      'its guest could not be frozen: the VM waits for space in the pool',
      ['thaw box: a', 'copy a'],
    ],
    [
      'has a raw disk',
      { measureVolume: async () => ({ deviceBytes: 1 << 20 }) },
      'the guest has it as a block device, of which nothing can be frozen',
      ['copy a'],
    ],
  ])('says why it is as after a power cut, of a guest that %s', async (_what, changes, remark, expected) => {
    await startGuest('box', changes);
    expect(await take(pool.add('a', inVm('box')))).toMatchObject([{ consistency: 'crash', remark }]);
    expect(events).toEqual(expected);
    expect(warnings.join()).toContain(remark);
  });

  it('says so when no shim listens for the VM, and when the shim ends in between', async () => {
    const remarks = [];
    for (const name of ['a', 'b']) {
      const [record] = await take(pool.add(name, inVm('box')));
      remarks.push(record?.consistency, record?.remark);
      const listener = await startGuest('box', {
        freezeVolumes: async () => {
          setImmediate(() => listener.close());
          return {};
        },
      });
    }
    expect(remarks).toEqual(['crash', 'the shim of its pod does not listen', 'crash', expect.stringContaining('shim')]);
  });

  it('does not keep a guest from its writes that does not even answer', async () => {
    await pods.startDeaf('box');
    expect(await take(pool.add('a', inVm('box')))).toMatchObject([
      { consistency: 'crash', remark: expect.stringContaining('did not answer within 2000 ms') },
    ]);
  });

  it('is busy while another process has the lease, with its words', async () => {
    await expect(take(pool.add('a', { kind: 'other', words: 'berth volume export' }))).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining('in use: berth volume export'),
    });
  });

  it.each(['copying', 'recording'] as const)('thaws and frees when %s fails', async (when) => {
    await startGuest('box');
    const specs = [pool.add('a', inVm('box')), pool.add('b')];
    for (const spec of specs) {
      failAt(spec.volumeId, when);
      await expect(take(spec)).rejects.toMatchObject({ code: 'exhausted' });
    }
    expect(events.filter((event) => !event.startsWith('copy'))).toEqual([
      ...['freeze box: a', 'thaw box: a'],
      ...['lease b', 'release b'],
    ]);
    expect(pool.snapshots()).toEqual([]);
  });

  it('copies nothing for a caller that is gone when the guest is frozen, and thaws it', async () => {
    await startGuest('box', {
      freezeVolumes: async () => {
        cancel.abort(new Fault('timeout', 'nobody waits'));
        return {};
      },
    });
    await expect(take(pool.add('a', inVm('box')))).rejects.toThrow('nobody waits');
    expect(events).toEqual(['thaw box: a']);
  });
});

describe('of several volumes', () => {
  it('freezes each VM once, for all of its volumes, from before the first copy until after the last', async () => {
    await startGuest('box');
    await startGuest('other');
    const specs = [pool.add('a', inVm('box')), pool.add('b', inVm('other')), pool.add('c', inVm('box')), pool.add('d')];
    const records = await take(...specs);
    expect(records.map(({ name, consistency }) => `${name} ${consistency}`)).toEqual([
      ...['a frozen', 'b frozen', 'c frozen', 'd detached'],
    ]);
    const phase = (event: string) => event.split(' ')[0];
    expect(events.map(phase).slice(0, 7)).toEqual(['lease', 'freeze', 'freeze', 'copy', 'copy', 'copy', 'copy']);
    expect(events.map(phase).slice(7).sort()).toEqual(['release', 'thaw', 'thaw']);
    expect(events).toContain('freeze box: a c');
    expect(events).toContain('freeze other: b');
  });

  it('does not freeze raw disks, and says of each volume what holds for it', async () => {
    await startGuest('box', {
      measureVolume: async ({ volumeId }) => ({ capacityBytes: volumeId.endsWith('.raw') ? 0 : 1 }),
    });
    const records = await take(pool.add('raw', inVm('box')), pool.add('a', inVm('box')));
    expect(records.map(({ consistency }) => consistency)).toEqual(['crash', 'frozen']);
    expect(events).toContain('freeze box: a');
  });

  it('takes none when one cannot be copied, however the others stand', async () => {
    await startGuest('box');
    const specs = [pool.add('a', inVm('box')), pool.add('b', inVm('box')), pool.add('c')];
    failAt(specs[1]?.volumeId as VolumeId, 'copying');
    await expect(take(...specs)).rejects.toMatchObject({ code: 'exhausted', message: 'the pool is full' });
    expect(pool.snapshots()).toEqual([]);
    expect(events.slice(-2).sort()).toEqual(['release c', 'thaw box: a b']);
  });

  it('gives back the leases it has when another volume is in use', async () => {
    const specs = [pool.add('a'), pool.add('b', { kind: 'other', words: 'a copy' })];
    await expect(take(...specs)).rejects.toMatchObject({ code: 'busy' });
    expect(events).toEqual(['lease a', 'release a']);
  });
});
