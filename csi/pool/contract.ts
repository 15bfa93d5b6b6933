import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseDiskSerial, parseSnapshotId, parseVolumeId, type SnapshotId, type VolumeId } from '../../proto/ids.ts';
import { DEFAULT_CLASS, NO_LIMITS } from '../../proto/volume-class.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import type { VolumeSnapshot } from '../../proto/volume-snapshot.ts';
import { VOLUME_FILES, type VolumeSpec } from '../../proto/volume-spec.ts';
import { silentLog } from '../../runtime/system/log.ts';
import type { Extent, Pool, PoolOptions } from './port.ts';

/** A pool that a test may do with as it likes, on a file system of its own. */
export interface PoolBench {
  /** Opens it, or opens it again after it was closed. */
  open(options?: PoolOptions): Promise<Pool>;
  /** Where the disk of a snapshot can be read. */
  imageOfSnapshot(snapshotId: SnapshotId): string;
  /** Names of everything that is kept, above all of what no verb answers. */
  remains(): Promise<string[]>;
  /** Takes the lease as a VM does, in a process of its own, with that text. */
  holdLease(path: string): Promise<{ release(): Promise<void> }>;
  /** Leaves so many bytes free on the pool's file system; answers what makes room again. */
  fill(freeBytes: number): Promise<{ release(): Promise<void> }>;
  close(): Promise<void>;
}

const MIB = 1 << 20;
const BLOCK = 4096;
const log = silentLog;

const idOf = (name: string): VolumeId => parseVolumeId(`main.0123456789ab.${name}`);
const snapshotIdOf = (name: string): SnapshotId => parseSnapshotId(`main.0123456789ab.s_${name}`);

const specOf = (name: string, changes: Partial<VolumeSpec> = {}): VolumeSpec => ({
  ...{ volumeId: idOf(name), name, capacityBytes: 32 * MIB, fsType: 'ext4', accessModes: ['SINGLE_NODE_WRITER'] },
  ...{ serial: parseDiskSerial(name), class: DEFAULT_CLASS, limits: NO_LIMITS, isEphemeral: false, createdAtMs: 1 },
  ...changes,
});
const thick = { class: { ...DEFAULT_CLASS, provisioning: 'thick' } } as const;

const snapshotOf = (name: string, source: string, changes: Partial<VolumeSnapshot> = {}): VolumeSnapshot => ({
  ...{ snapshotId: snapshotIdOf(name), name, sourceVolumeId: idOf(source), sizeBytes: 32 * MIB, fsType: 'ext4' },
  ...{ createdAtMs: 1, consistency: 'detached', remark: '' },
  ...changes,
});

/** What every backend has to do: held to it by a test of each. */
export function describePoolContract(name: string, openBench: () => Promise<PoolBench>): void {
  describe(`pool contract: ${name}`, () => {
    let bench: PoolBench;
    let pool: Pool;
    beforeEach(async () => {
      bench = await openBench();
      pool = await bench.open({ overcommit: Number.POSITIVE_INFINITY });
    });
    afterEach(async () => {
      await pool.close();
      await bench.close();
    });

    const reopen = async (options: PoolOptions = { overcommit: Number.POSITIVE_INFINITY }): Promise<void> => {
      await pool.close();
      pool = await bench.open(options);
    };
    const create = async (volume: string, changes: Partial<VolumeSpec> = {}): Promise<VolumeSpec> => {
      const spec = specOf(volume, changes);
      await pool.create(spec, spec.source, log);
      return spec;
    };
    const snapshot = (taken: string, source: string, changes: Partial<VolumeSnapshot> = {}) =>
      pool.createSnapshot(snapshotOf(taken, source, changes), { mayCopy: true }, log);
    const imageOf = (volume: string) => join(pool.directoryOf(idOf(volume)), VOLUME_FILES.image);
    const setFilesystem = (volume: string, filesystem: VolumeFilesystem) =>
      writeFile(
        join(pool.directoryOf(idOf(volume)), VOLUME_FILES.filesystem),
        volumeFilesystemRecord.encode(filesystem),
      );
    const fromVolume = (volume: string) => ({ source: { kind: 'volume', volumeId: idOf(volume) } }) as const;
    const fromSnapshot = (taken: string) =>
      ({ source: { kind: 'snapshot', snapshotId: snapshotIdOf(taken) } }) as const;

    describe('volumes', () => {
      test('are blank, whole, and there after a start', async () => {
        const spec = await create('one');
        const filesBefore = (await readdir(pool.directoryOf(spec.volumeId))).sort();
        expect(filesBefore).toEqual(Object.values(VOLUME_FILES).sort());
        expect(await pool.filesystemOf(spec.volumeId)).toEqual({ state: 'never' });
        expect((await readFile(imageOf('one'))).equals(Buffer.alloc(spec.capacityBytes))).toBe(true);
        expect(await pool.allocatedBytes(spec.volumeId)).toBeLessThan(MIB);
        await reopen();
        expect(pool.find(spec.volumeId)).toEqual(spec);
      });

      test('are listed by id; a listing that is held does not change', async () => {
        for (const volume of ['m', 'c', 'x']) await create(volume);
        const held = pool.volumes();
        await create('a');
        await pool.remove(idOf('m'), log);
        expect(held.map((spec) => spec.name)).toEqual(['c', 'm', 'x']);
        expect(pool.volumes().map((spec) => spec.name)).toEqual(['a', 'c', 'x']);
        await reopen();
        expect(pool.volumes().map((spec) => spec.name)).toEqual(['a', 'c', 'x']);
      });

      test('keep their id to themselves', async () => {
        await create('one');
        await writeFile(imageOf('one'), 'data', { flag: 'r+' });
        await expect(create('one')).rejects.toMatchObject({ code: 'exists' });
        expect((await readFile(imageOf('one'))).subarray(0, 4).toString()).toBe('data');
      });

      test('can be made many at once', async () => {
        const names = Array.from({ length: 12 }, (_, index) => `v${index}`);
        await Promise.all(names.map((volume) => create(volume)));
        expect(pool.volumes().map((spec) => spec.name)).toEqual([...names].sort());
        await Promise.all(names.map((volume) => pool.remove(idOf(volume), log)));
        expect(pool.volumes()).toEqual([]);
      });

      test('that are thick have their blocks', async () => {
        const spec = await create('one', thick);
        expect(await pool.allocatedBytes(spec.volumeId)).toBeGreaterThanOrEqual(spec.capacityBytes);
        expect((await readFile(imageOf('one'))).equals(Buffer.alloc(spec.capacityBytes))).toBe(true);
      });

      test.each([
        ['thin', {}],
        ['thick', thick],
      ])('that are %s grow, and never shrink', async (_provisioning, changes) => {
        await create('one', changes);
        await writeFile(imageOf('one'), 'data', { flag: 'r+' });
        const grown = await pool.grow(idOf('one'), 48 * MIB);
        expect(grown.capacityBytes).toBe(48 * MIB);
        expect(await pool.grow(idOf('one'), 8 * MIB)).toEqual(grown);
        await reopen();
        expect(pool.find(idOf('one'))).toEqual(grown);
        const content = await readFile(imageOf('one'));
        expect([content.length, content.subarray(0, 4).toString()]).toEqual([48 * MIB, 'data']);
        if (changes === thick) expect(await pool.allocatedBytes(idOf('one'))).toBeGreaterThanOrEqual(48 * MIB);
      });

      test('take new limits, and nothing else', async () => {
        const spec = await create('one');
        const limits = { iops: 500, bandwidthBytes: 10 * MIB };
        await pool.update({ ...spec, limits, capacityBytes: 1 });
        await reopen();
        expect(pool.find(idOf('one'))).toEqual({ ...spec, limits });
      });

      test('go, and leave nothing', async () => {
        const before = await bench.remains();
        await create('one');
        expect(await pool.remove(idOf('one'), log)).toBe(true);
        expect(await pool.remove(idOf('one'), log)).toBe(false);
        expect(pool.find(idOf('one'))).toBeUndefined();
        expect(await bench.remains()).toEqual(before);
      });

      test('that are unknown are not found', async () => {
        await expect(pool.grow(idOf('none'), MIB)).rejects.toMatchObject({ code: 'not-found' });
        await expect(create('one', fromVolume('none'))).rejects.toMatchObject({ code: 'not-found' });
        await expect(snapshot('s', 'none')).rejects.toMatchObject({ code: 'not-found' });
      });
    });

    describe('leases', () => {
      test('say who has the volume, and keep its data', async () => {
        await create('one');
        expect(await pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
        const path = join(pool.directoryOf(idOf('one')), VOLUME_FILES.lease);
        const vm = await bench.holdLease(path);
        try {
          expect(await pool.ownerOf(idOf('one'))).toEqual({ kind: 'vm', podUid: 'pod-1', sandboxId: 'sandbox-1' });
          expect(await pool.lease(idOf('one'))).toBeUndefined();
          const refusal = { code: 'precondition', message: expect.stringContaining('sandbox-1') };
          await expect(pool.remove(idOf('one'), log)).rejects.toMatchObject(refusal);
          expect(pool.find(idOf('one'))).toBeDefined();
        } finally {
          await vm.release();
        }
        expect(await pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
        expect(await pool.remove(idOf('one'), log)).toBe(true);
      });

      test('that the pool has are named too', async () => {
        await create('one');
        const lease = await pool.lease(idOf('one'));
        expect(await pool.ownerOf(idOf('one'))).toMatchObject({ kind: 'other' });
        expect(await pool.lease(idOf('one'))).toBeUndefined();
        await lease?.release();
        expect(await pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
      });
    });

    describe('copies', () => {
      const inherited = { state: 'formatted', uuid: 'u', formattedAtMs: 7 } as const;

      test.each(['volume', 'snapshot'] as const)('of a %s are independent, and may be larger', async (kind) => {
        await create('one');
        await writeAt(imageOf('one'), 3 * MIB, 'first');
        await setFilesystem('one', { ...inherited, problem: 'of the source alone' });
        if (kind === 'snapshot') await snapshot('s', 'one');
        const source = kind === 'snapshot' ? fromSnapshot('s') : fromVolume('one');
        const copy = await create('two', { ...source, capacityBytes: 40 * MIB });
        await writeAt(imageOf('one'), 3 * MIB, 'other');
        await writeAt(imageOf('two'), 39 * MIB, 'more');
        expect(await readAt(imageOf('two'), 3 * MIB, 5)).toBe('first');
        expect(await readAt(imageOf('one'), 3 * MIB, 5)).toBe('other');
        expect((await stat(imageOf('one'))).size).toBe(32 * MIB);
        expect(await pool.filesystemOf(idOf('two'))).toEqual(inherited);
        expect(pool.find(idOf('two'))).toEqual(copy);
        await pool.remove(idOf('one'), log);
        expect(await readAt(imageOf('two'), 3 * MIB, 5)).toBe('first');
      });

      test('that are smaller than their source are refused', async () => {
        await create('one');
        const smaller = { ...fromVolume('one'), capacityBytes: 8 * MIB };
        await expect(create('two', smaller)).rejects.toMatchObject({ code: 'out-of-range' });
      });

      test('are refused while a file system is being made', async () => {
        await create('one');
        await setFilesystem('one', { state: 'formatting' });
        const before = await bench.remains();
        await expect(create('two', fromVolume('one'))).rejects.toMatchObject({ code: 'busy' });
        await expect(snapshot('s', 'one')).rejects.toMatchObject({ code: 'busy' });
        expect(await bench.remains()).toEqual(before);
      });

      test('that are thick have blocks of their own', async () => {
        await create('one');
        await writeAt(imageOf('one'), 3 * MIB, 'first');
        await snapshot('s', 'one');
        await create('two', { ...fromSnapshot('s'), ...thick });
        expect(await pool.allocatedBytes(idOf('two'))).toBeGreaterThanOrEqual(32 * MIB);
        expect(await readAt(imageOf('two'), 3 * MIB, 5)).toBe('first');
      });
    });

    describe('snapshots', () => {
      test('outlive their volume, and are there after a start', async () => {
        await create('one');
        await writeAt(imageOf('one'), MIB, 'first');
        const taken = await snapshot('s', 'one');
        await writeAt(imageOf('one'), MIB, 'other');
        await pool.remove(idOf('one'), log);
        await reopen();
        expect(pool.findSnapshot(snapshotIdOf('s'))).toEqual(taken);
        expect(pool.snapshots()).toEqual([taken]);
        await create('two', fromSnapshot('s'));
        expect(await readAt(imageOf('two'), MIB, 5)).toBe('first');
      });

      test('go, and leave nothing', async () => {
        await create('one');
        const before = await bench.remains();
        await snapshot('s', 'one');
        await expect(snapshot('s', 'one')).rejects.toMatchObject({ code: 'exists' });
        expect(await pool.removeSnapshot(snapshotIdOf('s'), log)).toBe(true);
        expect(await pool.removeSnapshot(snapshotIdOf('s'), log)).toBe(false);
        expect(pool.findSnapshot(snapshotIdOf('s'))).toBeUndefined();
        expect(await bench.remains()).toEqual(before);
      });

      test('that need a copy are made only where that is allowed, and of a volume that no VM has', async () => {
        if (pool.features.snapshots === 'instant') return;
        await create('one');
        const wanted = snapshotOf('s', 'one');
        await expect(pool.createSnapshot(wanted, { mayCopy: false }, log)).rejects.toMatchObject({
          code: 'unsupported',
          message: expect.stringContaining('allowCopy'),
        });
        const vm = await bench.holdLease(join(pool.directoryOf(idOf('one')), VOLUME_FILES.lease));
        await expect(snapshot('s', 'one')).rejects.toMatchObject({ code: 'precondition' });
        await vm.release();
        await snapshot('s', 'one');
        expect(await pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
      });

      test('of a volume that is written are of one instant', async () => {
        if (pool.features.snapshots === 'copy') return;
        await create('one');
        let isWriting = true;
        let passes = 0;
        const write = async (): Promise<void> => {
          const image = await open(imageOf('one'), 'r+');
          for (; isWriting; passes += 1) {
            for (const offset of [0, 30 * MIB]) await image.write(String(passes).padStart(8, '0'), offset);
          }
          await image.close();
        };
        const writing = write();
        try {
          for (const taken of ['a', 'b', 'c', 'd']) {
            const before = passes;
            await snapshot(taken, 'one');
            while (passes < before + 3) await new Promise(setImmediate);
          }
        } finally {
          isWriting = false;
          await writing;
        }
        for (const taken of ['a', 'b', 'c', 'd']) {
          const image = bench.imageOfSnapshot(snapshotIdOf(taken));
          const [first, second] = [Number(await readAt(image, 0, 8)), Number(await readAt(image, 30 * MIB, 8))];
          expect([first, first - 1]).toContain(second);
        }
      });

      test('settle when they have the content', async () => {
        if (pool.features.snapshots === 'copy') return;
        await create('one');
        await writeAt(imageOf('one'), 0, 'first');
        const settle = async () => {
          await writeAt(imageOf('one'), 0, 'other');
          return { consistency: 'frozen', remark: 'as settled' } as const;
        };
        const taken = await pool.createSnapshot(snapshotOf('s', 'one'), { mayCopy: false, settle }, log);
        expect(taken).toMatchObject({ consistency: 'frozen', remark: 'as settled' });
        expect(pool.findSnapshot(snapshotIdOf('s'))).toEqual(taken);
        expect(await readAt(bench.imageOfSnapshot(snapshotIdOf('s')), 0, 5)).toBe('first');
        const before = await bench.remains();
        const fail = () => Promise.reject(new Error('the guest is gone'));
        const second = pool.createSnapshot(snapshotOf('t', 'one'), { mayCopy: false, settle: fail }, log);
        await expect(second).rejects.toThrow();
        expect(await bench.remains()).toEqual(before);
      });

      test('tell where they have data, and what changed since another', async () => {
        await create('one');
        const random = randomBlocks(32 * MIB);
        for (let step = 0; step < 40; step += 1) await writeAt(imageOf('one'), random(), `a${step}`.repeat(99));
        await snapshot('a', 'one');
        for (let step = 0; step < 20; step += 1) await writeAt(imageOf('one'), random(), `b${step}`.repeat(99));
        await snapshot('b', 'one');
        const [a, b] = await Promise.all(
          ['a', 'b'].map((taken) => readFile(bench.imageOfSnapshot(snapshotIdOf(taken)))),
        );
        const zeros = Buffer.alloc(32 * MIB);
        const data = differingBlocks(zeros, b ?? zeros);
        const delta = differingBlocks(a ?? zeros, b ?? zeros);
        expect(missing(data, await pool.extents(snapshotIdOf('b')))).toEqual([]);
        const named = await pool.extents(snapshotIdOf('b'), snapshotIdOf('a'));
        expect(missing(delta, named)).toEqual([]);
        const namedBytes = named.reduce((sum, { length }) => sum + length, 0);
        // A file system may allocate in larger pieces than it was written in.
        if (pool.features.snapshots === 'instant') expect(namedBytes).toBeLessThanOrEqual(delta.length * BLOCK * 2);
        expect(named.every((extent, index) => extent.offset > (named[index - 1]?.offset ?? -1))).toBe(true);
      });
    });

    describe('what is damaged', () => {
      test('is kept, named, and in nobody’s way', async () => {
        await create('one');
        await create('two');
        await writeFile(join(pool.directoryOf(idOf('one')), VOLUME_FILES.spec), '{"v": 99}');
        await reopen();
        expect([...pool.unreadable.keys()]).toEqual([idOf('one')]);
        expect(pool.volumes().map((spec) => spec.name)).toEqual(['two']);
        expect(() => pool.find(idOf('one'))).toThrow(/version 99/);
        await expect(create('one')).rejects.toMatchObject({ code: 'exists' });
        expect((await stat(imageOf('one'))).size).toBe(32 * MIB);
        expect(await pool.remove(idOf('one'), log)).toBe(true);
        expect(pool.find(idOf('one'))).toBeUndefined();
      });
    });

    describe('space', () => {
      test('is promised within the limit, and given back', async () => {
        await reopen({});
        const { availableBytes, maximumVolumeBytes } = await pool.space();
        expect(maximumVolumeBytes).toBeLessThanOrEqual(availableBytes);
        const half = Math.floor(availableBytes / 2 / MIB) * MIB;
        await create('one', { capacityBytes: half });
        expect((await pool.space()).availableBytes).toBeLessThanOrEqual(availableBytes - half);
        const tooMuch = create('two', { capacityBytes: half + 8 * MIB });
        await expect(tooMuch).rejects.toMatchObject({
          code: 'exhausted',
          message: expect.stringContaining('overcommit'),
        });
        await expect(pool.grow(idOf('one'), 2 * half + 8 * MIB)).rejects.toMatchObject({ code: 'exhausted' });
        await pool.remove(idOf('one'), log);
        await create('two', { capacityBytes: half + 8 * MIB });
        await reopen({ overcommit: 3 });
        await create('three', { capacityBytes: 2 * half });
      });

      test('that ends at any step leaves nothing half', async () => {
        await create('one');
        await writeAt(imageOf('one'), 0, 'x'.repeat(9 * MIB));
        const before = await bench.remains();
        for (const freeBytes of [0, 16 << 10, 64 << 10, 256 << 10, 2 * MIB, 12 * MIB]) {
          const room = await bench.fill(freeBytes);
          const made = {
            blank: () => create('blank').then(() => pool.remove(idOf('blank'), log)),
            thick: () => create('thick', thick).then(() => pool.remove(idOf('thick'), log)),
            copy: () => create('copy', fromVolume('one')).then(() => pool.remove(idOf('copy'), log)),
            snapshot: () => snapshot('s', 'one').then(() => pool.removeSnapshot(snapshotIdOf('s'), log)),
          };
          for (const make of Object.values(made)) {
            await make().catch((error: unknown) => expect(error).toMatchObject({ code: 'exhausted' }));
            expect(await bench.remains()).toEqual(before);
          }
          await room.release();
        }
      });

      test('that has ended lets records be written and volumes go', async () => {
        await create('one');
        const spec = await create('two');
        const room = await bench.fill(0);
        const limits = { iops: 1, bandwidthBytes: 2 };
        await pool.update({ ...spec, limits });
        await reopen();
        expect(pool.find(idOf('two'))).toEqual({ ...spec, limits });
        expect(await pool.remove(idOf('one'), log)).toBe(true);
        expect(await pool.remove(idOf('two'), log)).toBe(true);
        await room.release();
      });
    });
  });
}

async function writeAt(path: string, offset: number, text: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(text, offset);
  await file.close();
}

async function readAt(path: string, offset: number, length: number): Promise<string> {
  const file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
  await file.close();
  return buffer.toString();
}

/** Offsets of blocks, the same at every run. */
function randomBlocks(sizeBytes: number): () => number {
  let seed = 42;
  return () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return (seed % (sizeBytes / BLOCK)) * BLOCK;
  };
}

function differingBlocks(one: Buffer, other: Buffer): number[] {
  const offsets = Array.from({ length: other.length / BLOCK }, (_, index) => index * BLOCK);
  return offsets.filter((at) => !one.subarray(at, at + BLOCK).equals(other.subarray(at, at + BLOCK)));
}

/** Blocks that no extent names. */
function missing(blocks: readonly number[], extents: readonly Extent[]): number[] {
  return blocks.filter((at) => !extents.some(({ offset, length }) => offset <= at && at + BLOCK <= offset + length));
}
