import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { execa } from 'execa';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePodUid, parseSandboxId } from '../../proto/ids.ts';
import { volumeLeaseRecord } from '../../proto/volume-lease.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { FAILPOINT_VARIABLE, type Failpoint } from '../../runtime/system/failpoint.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { buildProgram } from '../support/native-tests.ts';

const ROUNDS = 50;
const LATEST_MS = 12;
const writer = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
const OWNER = volumeLeaseRecord.encode({
  podUid: parsePodUid('pod-1'),
  sandboxId: parseSandboxId('sandbox-1'),
  node: 'node-1',
  takenAtMs: 1,
});

const scratch = await mkdtemp(join(tmpdir(), 'berth-lease-'));
afterAll(() => rm(scratch, { recursive: true, force: true }));
const driverProgram = await buildWithFailpoints('csi');
/** Takes a lease as a shim does, says how that went, and keeps it until its standard input ends. */
const takeProgram = await buildProgram({ scratch }, 'take-lease', [
  `import { acquireLease } from '${resolve('runtime/system/native/lease.ts')}';`,
  "const say = (word: string): number => sys.write(1, sys.utf8Encode(word + '\\n'));",
  'try {',
  "  say('fd' in acquireLease(sys.args()[1] ?? '', sys.args()[2] ?? '') ? 'taken' : 'held');",
  "} catch (error) { say((error as { code?: string }).code ?? 'failed'); }",
  'sys.read(0, new Uint8Array(1));',
]);

let node: CsiNode;
let driver: CsiProcess;
beforeEach(async () => {
  node = await createCsiNode(driverProgram);
});
afterEach(() => node.close());

async function start(wanted = ''): Promise<void> {
  driver = await node.start({}, { [FAILPOINT_VARIABLE]: wanted });
}
const create = async (name: string): Promise<string> =>
  (await driver.client.call('Controller', 'CreateVolume', { name, volume_capabilities: [writer] })).volume.volume_id;
const remove = (volume_id: string) => driver.client.call('Controller', 'DeleteVolume', { volume_id });
const isThere = async (id: string) => (await readdir(join(node.pool, 'volumes'))).includes(id);

/** `taken`, `held` by another or `not-found`; the lease is kept until `release`. */
async function take(id: string): Promise<{ outcome: string; release(): Promise<void> }> {
  const child = execa(takeProgram, [join(node.pool, 'volumes', id, VOLUME_FILES.lease), OWNER], { stdin: 'pipe' });
  const [outcome = ''] = await child
    .iterable()
    [Symbol.asyncIterator]()
    .next()
    .then(({ value }) => [value as string]);
  return {
    outcome,
    async release() {
      child.stdin.end();
      await child;
    },
  };
}

describe('DeleteVolume and a shim that takes the lease', () => {
  it(`at the same time, ${ROUNDS} times: one of them wins, and what the shim has is whole`, async () => {
    await start();
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = await create(`raced-${round}`);
      const deletion = remove(id).then(
        () => 'deleted',
        (error: { code: number }) => (error.code === status.FAILED_PRECONDITION ? 'refused' : String(error)),
      );
      // The driver has more to do before it comes to the lock: the shim is late by different spans to meet it there.
      const late = setTimeout((LATEST_MS * round) / ROUNDS).then(() => take(id));
      const [deleted, lease] = await Promise.all([deletion, late]);
      if (lease.outcome === 'taken') {
        expect(deleted).toBe('refused');
        expect((await stat(join(node.pool, 'volumes', id, VOLUME_FILES.image))).size).toBe(1024 ** 3);
        await lease.release();
        await remove(id);
      } else {
        expect(deleted).toBe('deleted');
        await lease.release();
      }
      expect(await isThere(id)).toBe(false);
    }
    await driver.stop();
  });

  it.each<[Failpoint, string]>([
    ['volume.lease-taken', 'taken'],
    ['volume.discarded', 'not-found'],
    ['volume.freed', 'not-found'],
  ])('after the driver was killed at %s: %s', async (point, outcome) => {
    await start(point);
    const id = await create('leased');
    await expect(remove(id)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(await driver.ended()).toBe('SIGKILL');
    const lease = await take(id);
    expect(lease.outcome).toBe(outcome);
    await start();
    if (outcome === 'taken') await expect(remove(id)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(await isThere(id)).toBe(outcome === 'taken');
    await lease.release();
    await remove(id);
    expect(await node.remains()).toEqual([]);
    await driver.stop();
  });
});
