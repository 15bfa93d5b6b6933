import { access, open, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HostProcess, startHostProcess } from '../../csi/host-process.ts';
import { fromSnapshot, idOf, MIB, OpenBench, readAt, snapshotIdOf, thick } from '../../csi/pool/contract/bench.ts';
import { NO_LIMITS } from '../../proto/volume-class.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { buildCsiHost } from '../support/csi-host.ts';
import { type LoopFileSystem, mountLoop, openPoolBench } from '../support/pool-bench.ts';

/** What a pool has answered is on the device: each test ends with the power, the moment after the answer. */
const SIZE_BYTES = 512 << 20;

describe.each(['ext4', 'xfs', 'btrfs'] as const)('after a power cut, on %s,', (kind) => {
  let host: HostProcess;
  let fileSystem: LoopFileSystem;
  let on: OpenBench;
  beforeEach(async () => {
    host = await startHostProcess(await buildCsiHost());
    fileSystem = await mountLoop(kind, SIZE_BYTES);
    on = await OpenBench.on(await openPoolBench(host.calls, fileSystem));
  });
  afterEach(async () => {
    await on.close();
    await host.close();
    await fileSystem.close();
  });

  const cutPower = async (): Promise<void> => {
    await fileSystem.cutPower(() => on.pool.close());
    await on.openAgain();
    expect([...on.pool.unreadable.keys()]).toEqual([]);
  };
  const expectWhole = async (name: string, sizeBytes = 32 * MIB): Promise<void> => {
    const files = (await readdir(on.pool.directoryOf(idOf(name)))).sort();
    expect(files).toEqual(Object.values(VOLUME_FILES).sort());
    expect((await stat(on.fileOf(name))).size).toBe(sizeBytes);
    expect(on.pool.find(idOf(name))).toMatchObject({ name, capacityBytes: sizeBytes });
  };
  /** As a guest that has its write confirmed. */
  const writeDurably = async (path: string, text: string): Promise<void> => {
    const file = await open(path, 'r+');
    await file.write(text, MIB);
    await file.sync();
    await file.close();
  };

  it('what nobody has synced is gone, so that these tests can fail', async () => {
    await on.create('one');
    const path = join(fileSystem.root, 'unsynced');
    await writeFile(path, 'text');
    await cutPower();
    await expect(access(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('volumes are whole that were made', async () => {
    await Promise.all(['one', 'two', 'three'].map((name) => on.create(name)));
    await on.create('four', thick);
    await cutPower();
    for (const name of ['one', 'two', 'three', 'four']) await expectWhole(name);
    expect(await on.pool.filesystemOf(idOf('one'))).toEqual({ state: 'never' });
    expect(await on.pool.allocatedBytes(idOf('four'))).toBe(32 * MIB);
  });

  it('a volume is gone that was deleted', async () => {
    await on.create('one');
    await on.create('two');
    await on.remove('one');
    await cutPower();
    expect(on.names()).toEqual(['two']);
    await expectWhole('two');
    expect((await on.bench.remains()).filter((path) => path.includes(idOf('one')))).toEqual([]);
  });

  it('a volume has the size and the limits that it was given', async () => {
    await on.create('one');
    await on.pool.grow(idOf('one'), 40 * MIB);
    const spec = on.pool.find(idOf('one'));
    if (spec === undefined) throw new Error('the volume is not there');
    await on.pool.update({ ...spec, limits: { ...NO_LIMITS, iops: 100 } });
    await cutPower();
    await expectWhole('one', 40 * MIB);
    expect(on.pool.find(idOf('one'))?.limits).toMatchObject({ iops: 100 });
  });

  it('a snapshot, and a volume made of it, have what the guest had written', async () => {
    await on.create('one');
    await writeDurably(on.fileOf('one'), 'written');
    await on.snapshot('s', 'one');
    await on.create('two', fromSnapshot('s'));
    await cutPower();
    expect(on.pool.findSnapshot(snapshotIdOf('s'))).toBeDefined();
    await expectWhole('two');
    for (const path of [on.imageOfSnapshot('s'), on.fileOf('two')]) {
      expect(await readAt(path, MIB, 7)).toBe('written');
    }
  });
});
