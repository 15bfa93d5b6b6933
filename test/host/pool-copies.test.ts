import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type HostProcess, startHostProcess } from '../../csi/host-process.ts';
import {
  fromSnapshot,
  fromVolume,
  idOf,
  MIB,
  OpenBench,
  readAt,
  snapshotOf,
  writeAt,
} from '../../csi/pool/contract/bench.ts';
import { Fault } from '../../proto/fault.ts';
import { decodeLease } from '../../proto/volume-lease.ts';
import { silentLog } from '../../runtime/system/log.ts';
import { buildCsiHost } from '../support/csi-host.ts';
import { type LoopFileSystem, mountLoop, openPoolBench } from '../support/pool-bench.ts';

/** Copies that take longer than a verb waits: here, every copy. */
let host: HostProcess;
let fileSystem: LoopFileSystem;
let on: OpenBench;
beforeAll(async () => {
  host = await startHostProcess(await buildCsiHost());
  fileSystem = await mountLoop('ext4', 512 * MIB);
});
afterAll(async () => {
  await host?.close();
  await fileSystem?.close();
});
beforeEach(async () => {
  on = await OpenBench.on(await openPoolBench(host.calls, fileSystem, { patienceMs: 0 }));
  await on.create('one');
  await writeAt(on.fileOf('one'), 2 * MIB, 'early');
  await writeAt(on.fileOf('one'), 10 * MIB, 'x'.repeat(12 * MIB));
  await writeAt(on.fileOf('one'), 30 * MIB, 'late');
});
afterEach(() => on.close());

const copyOf = (name: string) => join(on.pool.directoryOf(idOf('one')), '../../copies', idOf(name));

/** Asks again until the copy is there; answers what was said meanwhile. */
async function ask(make: () => Promise<unknown>): Promise<Fault[]> {
  const said: Fault[] = [];
  for (;;) {
    try {
      await make();
      return said;
    } catch (error) {
      if (!(error instanceof Fault) || error.code === 'exists') return said;
      if (error.code !== 'busy') throw error;
      said.push(error);
      await new Promise(setImmediate);
    }
  }
}

async function expectWhole(name: string): Promise<void> {
  expect(on.names()).toContain(name);
  const [source, copy] = await Promise.all(['one', name].map((each) => readFile(on.fileOf(each))));
  expect(source !== undefined && copy?.subarray(0, source.length).equals(source)).toBe(true);
  // What was never written takes no space in the copy either.
  expect((await stat(on.fileOf(name))).blocks).toBeLessThan((14 * MIB) / 512);
  expect(await readdir(join(copyOf(name), '..'))).toEqual([]);
}

describe('a copy that takes long', () => {
  test('is busy, with its progress, and then there', async () => {
    const said = await ask(() => on.create('two', fromVolume('one')));
    expect(said[0]?.message).toContain('is being copied: it has just begun; ask again');
    expect(said.at(-1)?.message).toMatch(/is being copied: \d+ % of \d+ bytes are done; ask again/);
    await expectWhole('two');
    expect(await on.pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
  });

  test('keeps its source, says who reads it, and is not made twice', async () => {
    await expect(on.create('two', fromVolume('one'))).rejects.toMatchObject({ code: 'busy' });
    for (const otherwise of [{ ...fromVolume('one'), capacityBytes: 64 * MIB }, {}]) {
      await expect(on.create('two', otherwise)).rejects.toMatchObject({ code: 'exists' });
    }
    const refusal = { code: 'precondition', message: expect.stringContaining(`copied to ${idOf('two')}`) };
    await expect(on.remove('one')).rejects.toMatchObject(refusal);
    expect(on.names()).toEqual(['one']);
    await ask(() => on.create('two', fromVolume('one')));
    await expectWhole('two');
  });

  test('says in the lease of its source what for it is held, as the pod there was last is long gone', async () => {
    const pod = await on.bench.holdLease(on.fileOf('one', 'lease'));
    await pod.release();
    expect(await readFile(on.fileOf('one', 'lease'), 'utf8')).toContain('pod-1');
    await expect(on.create('two', fromVolume('one'))).rejects.toMatchObject({ code: 'busy' });
    const { ino } = await stat(on.fileOf('one', 'lease'));
    let text = '';
    while (!text.includes('purpose')) text = await readFile(on.fileOf('one', 'lease'), 'utf8');
    expect(decodeLease(text, 'lease')).toMatchObject({ purpose: `it is being copied to ${idOf('two')}` });
    expect((await stat(on.fileOf('one', 'lease'))).ino).toBe(ino);
    await ask(() => on.create('two', fromVolume('one')));
  });

  test('of a volume that grows meanwhile is still what was asked for', async () => {
    const snapshot = (sizeBytes: number) =>
      on.pool.createSnapshot({ ...snapshotOf('s', 'one'), sizeBytes }, { mayCopy: true }, silentLog);
    await expect(snapshot(32 * MIB)).rejects.toMatchObject({ code: 'busy' });
    while ((await readdir(join(copyOf('two'), '..'))).length === 0) await new Promise(setImmediate);
    await on.pool.grow(idOf('one'), 64 * MIB);
    await expect(snapshot(64 * MIB)).rejects.toMatchObject({ code: 'busy' });
    await ask(() => snapshot(64 * MIB));
    expect(on.pool.snapshots()).toMatchObject([{ sizeBytes: 32 * MIB }]);
    expect((await stat(on.imageOfSnapshot('s'))).size).toBe(32 * MIB);
  });

  test('is not made of a source that has outgrown it before its turn came', async () => {
    const before = await on.bench.remains();
    await on.pool.grow(idOf('one'), 64 * MIB);
    let said = '';
    while (!said.includes('has grown')) said = await on.snapshot('s', 'one').then(String, String);
    expect(await on.bench.remains()).toEqual(before);
  });

  test('is the same for a request with other limits, which may change at any time', async () => {
    await expect(on.create('two', fromVolume('one'))).rejects.toMatchObject({ code: 'busy' });
    const limits = { iops: 7, bandwidthBytes: 0 };
    await expect(on.create('two', { ...fromVolume('one'), limits })).rejects.toMatchObject({ code: 'busy' });
    await ask(() => on.create('two', fromVolume('one')));
    await expectWhole('two');
  });

  test('of a snapshot keeps the snapshot', async () => {
    await ask(() => on.snapshot('s', 'one'));
    await expect(on.create('two', fromSnapshot('s'))).rejects.toMatchObject({ code: 'busy' });
    await expect(on.removeSnapshot('s')).rejects.toMatchObject({ code: 'precondition' });
    await ask(() => on.create('two', fromSnapshot('s')));
    expect(await on.removeSnapshot('s')).toBe(true);
    await expectWhole('two');
  });

  test('ends when what it makes is deleted', async () => {
    const before = await on.bench.remains();
    await expect(on.create('two', fromVolume('one'))).rejects.toMatchObject({ code: 'busy' });
    expect(await on.remove('two')).toBe(true);
    expect(await on.bench.remains()).toEqual(before);
    expect(await on.pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
  });

  test('waits for its turn while as many as may run do, and holds nothing meanwhile', async () => {
    const before = await on.bench.remains();
    for (const name of ['a', 'b', 'c']) await on.create(name);
    for (const name of ['a', 'b']) await writeAt(on.fileOf(name), 0, 'x'.repeat(24 * MIB));
    const made = (name: string) => on.create(`of-${name}`, fromVolume(name));
    for (const name of ['a', 'b']) await expect(made(name)).rejects.toMatchObject({ code: 'busy' });
    await expect(made('c')).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining('it waits for its turn, as 2 others are copied in this pool'),
    });
    expect(await on.pool.ownerOf(idOf('a'))).toMatchObject({ kind: 'other' });
    expect(await on.pool.ownerOf(idOf('c'))).toEqual({ kind: 'free' });
    expect(await on.remove('of-c')).toBe(true);
    await expect(made('c')).rejects.toMatchObject({ code: 'busy' });
    for (const name of ['c', 'b', 'a']) {
      await ask(() => made(name));
      expect(on.names()).toContain(`of-${name}`);
    }
    for (const name of ['a', 'b', 'c']) for (const each of [name, `of-${name}`]) await on.remove(each);
    expect(await on.bench.remains()).toEqual(before);
  });

  test('that fails says so to who asks next, and begins anew after that', async () => {
    const before = await on.bench.remains();
    const room = await on.bench.fill(4 * MIB);
    await expect(ask(() => on.create('two', fromVolume('one')))).rejects.toMatchObject({ code: 'exhausted' });
    expect(await on.bench.remains()).toEqual(before);
    await room.release();
    await ask(() => on.create('two', fromVolume('one')));
    await expectWhole('two');
  });

  test('that fails unheard is of no account for another of the same name', async () => {
    await on.create('other');
    await on.setFilesystem('other', { state: 'formatting' });
    await expect(on.create('two', fromVolume('other'))).rejects.toMatchObject({ code: 'busy' });
    let said = 'otherwise';
    while (said.includes('otherwise')) {
      await new Promise(setImmediate);
      said = await on.create('two', fromVolume('one')).then(() => '', String);
    }
    expect(said).toContain('is being copied');
    await ask(() => on.create('two', fromVolume('one')));
    await expectWhole('two');
  });
});

describe('after a restart', () => {
  test('a copy of a snapshot goes on by itself, from where it was', async () => {
    await ask(() => on.snapshot('s', 'one'));
    await expect(on.create('two', fromSnapshot('s'))).rejects.toMatchObject({ code: 'busy' });
    await on.pool.close();
    // As if it had got so far: what comes before is not copied again.
    await writeFile(join(copyOf('two'), 'progress.json'), JSON.stringify({ v: 1, copiedTo: 4 * MIB }));
    await on.openAgain();
    await ask(() => on.create('two', fromSnapshot('s')));
    expect(await readAt(on.fileOf('two'), 2 * MIB, 5)).toBe('\0'.repeat(5));
    expect(await readAt(on.fileOf('two'), 30 * MIB, 4)).toBe('late');
    expect(on.pool.find(idOf('two'))).toMatchObject(fromSnapshot('s'));
  });

  test('a copy of a volume, which may have changed since, begins anew when it is asked for', async () => {
    const before = await on.bench.remains();
    await expect(on.create('two', fromVolume('one'))).rejects.toMatchObject({ code: 'busy' });
    await on.reopen();
    expect(await on.bench.remains()).toEqual(before);
    expect(await on.pool.ownerOf(idOf('one'))).toEqual({ kind: 'free' });
    await ask(() => on.create('two', fromVolume('one')));
    await expectWhole('two');
  });

  test('nothing is half visible', async () => {
    await expect(on.create('two', fromVolume('one'))).rejects.toMatchObject({ code: 'busy' });
    expect(on.pool.find(idOf('two'))).toBeUndefined();
    await on.reopen();
    expect(on.names()).toEqual(['one']);
  });
});
