import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fault } from '../proto/fault.ts';
import type { VolumeId } from '../proto/ids.ts';
import type { VolumeSpec } from '../proto/volume-spec.ts';
import { silentLog } from '../runtime/system/log.ts';
import { Undo } from '../runtime/system/undo.ts';
import type { Attachments } from './attachments.ts';
import { type InlineVolume, parseEphemeral } from './ephemeral-parameters.ts';
import { EphemeralVolumes } from './ephemeral-volumes.ts';
import type { Pool } from './pool/port.ts';
import type { Capability } from './validate.ts';
import { Volumes } from './volumes.ts';

/** A pool as far as inline volumes need one, whose leases are held as long as a test wants. */
class LeasedPool {
  readonly name = 'main';
  readonly specs = new Map<VolumeId, VolumeSpec>();
  readonly leased = new Set<VolumeId>();
  /** Records in directories of volumes, by path. */
  readonly records = new Map<string, Uint8Array>();
  readonly files = {
    readFile: async (path: string) => this.records.get(path),
    writeFile: async (path: string, data: Uint8Array) => void this.records.set(path, data),
    remove: async (path: string) => this.records.delete(path),
  };
  directoryOf = (volumeId: VolumeId) => `/pool/${volumeId}`;
  find = (volumeId: VolumeId) => this.specs.get(volumeId);
  volumes = () => [...this.specs.values()];
  async create(spec: VolumeSpec): Promise<void> {
    this.specs.set(spec.volumeId, spec);
  }
  async remove(volumeId: VolumeId): Promise<boolean> {
    if (this.leased.has(volumeId)) throw new Fault('precondition', 'it is in use');
    this.records.clear();
    return this.specs.delete(volumeId);
  }
}

const capability: Capability = {
  ...{
    volumeMode: 'Filesystem',
    accessMode: 'SINGLE_NODE_WRITER',
    fsType: undefined,
    mountFlags: [],
    fsGroup: undefined,
  },
};
const RETRY_MS = 15_000;

let pool: LeasedPool;
let volumes: Volumes;
let ephemeral: EphemeralVolumes;
let inline: InlineVolume;
let removed: VolumeId[];
beforeEach(() => {
  vi.useFakeTimers();
  pool = new LeasedPool();
  volumes = new Volumes('0123456789ab', [pool as unknown as Pool]);
  removed = [];
  ephemeral = new EphemeralVolumes(volumes, silentLog, (volumeId) => removed.push(volumeId));
  inline = parseEphemeral('csi-1', { size: '16Mi' }, capability, volumes);
});
afterEach(() => {
  ephemeral.close();
  vi.useRealTimers();
});

const ensure = (volume: InlineVolume = inline) => ephemeral.ensure(volume, new Undo(silentLog), silentLog);

describe('an inline volume', () => {
  it('is deleted when its VM has let it go', async () => {
    const found = await ensure();
    pool.leased.add(found.spec.volumeId);
    await ephemeral.release(found, silentLog);
    await vi.advanceTimersByTimeAsync(3 * RETRY_MS);
    expect(ephemeral.find('csi-1')).toBeDefined();
    expect(removed).toEqual([]);
    pool.leased.clear();
    await vi.advanceTimersByTimeAsync(RETRY_MS);
    expect(ephemeral.find('csi-1')).toBeUndefined();
    expect(removed).toEqual([found.spec.volumeId]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is not deleted when it is published again meanwhile', async () => {
    const found = await ensure();
    pool.leased.add(found.spec.volumeId);
    await ephemeral.release(found, silentLog);
    await ensure();
    pool.leased.clear();
    await vi.advanceTimersByTimeAsync(2 * RETRY_MS);
    expect(ephemeral.find('csi-1')).toBeDefined();
  });

  it.each([
    ['goes at the start, if it is not published', false, false, 0],
    ['stays after a boot, when nothing is on record, for its pod may be there', true, false, 1],
    ['goes after a boot, if its pod had gone before', true, true, 0],
  ])('%s', async (_, isFirstOfBoot, wasLeft, remaining) => {
    const found = await ensure();
    if (wasLeft) {
      pool.leased.add(found.spec.volumeId);
      await ephemeral.release(found, silentLog);
      pool.leased.clear();
    }
    const next = new EphemeralVolumes(volumes, silentLog, () => {});
    const none = { requireReadable: async () => {}, all: () => [] } as unknown as Attachments;
    await next.sweep(none, { isFirstOfBoot });
    expect(pool.specs.size).toBe(remaining);
  });

  it('whose pod comes again has not gone', async () => {
    const found = await ensure();
    pool.leased.add(found.spec.volumeId);
    await ephemeral.release(found, silentLog);
    expect(pool.records.size).toBe(1);
    await ensure();
    expect(pool.records.size).toBe(0);
  });

  it('is not taken for another one of the same name', async () => {
    await ensure();
    const larger = parseEphemeral('csi-1', { size: '32Mi' }, capability, volumes);
    await expect(ensure(larger)).rejects.toMatchObject({ code: 'exists' });
  });

  it('is not made of a volume that somebody created by that name', async () => {
    await pool.create({ ...inline.spec, isEphemeral: false });
    await expect(ensure()).rejects.toMatchObject({ code: 'exists' });
    expect(ephemeral.find('csi-1')).toBeUndefined();
  });

  it('goes with the verb that made it and failed', async () => {
    const undo = new Undo(silentLog);
    await ephemeral.ensure(inline, undo, silentLog);
    await undo.unwind();
    expect(pool.specs.size).toBe(0);
  });
});
