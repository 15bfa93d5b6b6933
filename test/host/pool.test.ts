import { copyFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HostCalls } from '../../csi/host-calls.ts';
import { type HostProcess, startHostProcess } from '../../csi/host-process.ts';
import { fromSnapshot, MIB, OpenBench, readAt, writeAt } from '../../csi/pool/contract/bench.ts';
import { describePoolContract } from '../../csi/pool/contract.ts';
import { buildCsiHost } from '../support/csi-host.ts';
import { type LoopFileSystem, mountLoop, openPoolBench } from '../support/pool-bench.ts';

const SIZE_BYTES = 512 << 20;

describe.each(['ext4', 'xfs', 'btrfs'] as const)('image files on %s', (kind) => {
  let host: HostProcess | undefined;
  let fileSystem: LoopFileSystem | undefined;
  beforeAll(async () => {
    host = await startHostProcess(await buildCsiHost());
    fileSystem = await mountLoop(kind, SIZE_BYTES);
  });
  afterAll(async () => {
    await host?.close();
    await fileSystem?.close();
  });

  describePoolContract(`image-file on ${kind}`, () => {
    if (host === undefined || fileSystem === undefined) throw new Error('the bench is not there');
    return openPoolBench(host.calls as HostCalls, fileSystem);
  });
});

describe('an image that was made elsewhere', () => {
  /** btrfs shares only what is alike; an image that somebody copied into the pool is copied on write. */
  test('is shared all the same', async () => {
    const host = await startHostProcess(await buildCsiHost());
    const fileSystem = await mountLoop('btrfs', SIZE_BYTES);
    const on = await OpenBench.on(await openPoolBench(host.calls, fileSystem));
    try {
      await on.create('one');
      await writeAt(on.fileOf('one'), MIB, 'first');
      const elsewhere = join(fileSystem.root, 'elsewhere');
      await copyFile(on.fileOf('one'), elsewhere);
      await rename(elsewhere, on.fileOf('one'));
      await on.snapshot('s', 'one');
      await on.create('two', fromSnapshot('s'));
      expect(await readAt(on.fileOf('two'), MIB, 5)).toBe('first');
    } finally {
      await on.close();
      await fileSystem.close();
      await host.close();
    }
  });
});
