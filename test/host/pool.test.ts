import { afterAll, beforeAll, describe } from 'vitest';
import type { HostCalls } from '../../csi/host-calls.ts';
import { type HostProcess, startHostProcess } from '../../csi/host-process.ts';
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
