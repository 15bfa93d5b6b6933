import { mkdir, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fault } from '../proto/fault.ts';
import { podPaths } from '../proto/paths.ts';
import { createNodeSystem } from '../runtime/system/node/system.ts';
import { createTestShims, type TestShims } from './pod-shims.fixture.ts';
import { PodShims } from './pod-shims.ts';

let pods: TestShims;
let shims: PodShims;
beforeEach(async () => {
  pods = await createTestShims();
  shims = new PodShims(createNodeSystem(), pods.run);
});
afterEach(() => pods.close());

const measure = (sandboxId: string, timeoutMs?: number) =>
  shims.ask(sandboxId, (shim) =>
    shim.call('measureVolume', { volumeId: 'v' }, timeoutMs === undefined ? {} : { timeoutMs }),
  );

it('asks the shim of the sandbox', async () => {
  await pods.start('one', { measureVolume: async ({ volumeId }) => ({ problem: `one has ${volumeId}` }) });
  await pods.start('two', { measureVolume: async ({ volumeId }) => ({ problem: `two has ${volumeId}` }) });
  expect(await measure('one')).toMatchObject({ problem: 'one has v' });
  expect(await measure('two')).toMatchObject({ problem: 'two has v' });
});

it('answers undefined when nobody listens: no such pod, no socket, a socket that nobody serves', async () => {
  expect(await measure('nowhere')).toBeUndefined();
  await mkdir(podPaths(pods.run, 'starting').directory, { recursive: true });
  expect(await measure('starting')).toBeUndefined();
  await mkdir(podPaths(pods.run, 'killed').directory, { recursive: true });
  await writeFile(podPaths(pods.run, 'killed').shimSocket, '');
  expect(await measure('killed')).toBeUndefined();
});

it("throws the shim's own Fault", async () => {
  await pods.start('one', {
    measureVolume: async () => {
      throw new Fault('not-found', 'pod one does not have v');
    },
  });
  await expect(measure('one')).rejects.toMatchObject({ code: 'not-found', message: 'pod one does not have v' });
});

it('does not wait for a shim that hangs, and serves others meanwhile', async () => {
  await pods.startDeaf('deaf');
  await pods.start('one', { measureVolume: async () => ({ capacityBytes: 7 }) });
  const hanging = expect(measure('deaf', 200)).rejects.toMatchObject({ code: 'timeout' });
  expect(await measure('one')).toMatchObject({ capacityBytes: 7 });
  await hanging;
});

it('has a deadline of its own where the caller has none', async () => {
  await pods.startDeaf('deaf');
  await expect(measure('deaf')).rejects.toThrow('did not answer within 2000 ms');
});

it('says so when a shim goes in the middle of a call', async () => {
  const listener = await pods.start('one', {
    measureVolume: async () => {
      await listener.close();
      return {};
    },
  });
  await expect(measure('one')).rejects.toMatchObject({ code: 'io' });
});

it('carries many calls at a time, to one shim and to several', async () => {
  let waiting = 0;
  let release = (): void => {};
  const allThere = new Promise<void>((resolve) => {
    release = resolve;
  });
  const measureVolume = async () => {
    waiting += 1;
    if (waiting === 40) release();
    await allThere;
    return {};
  };
  await pods.start('one', { measureVolume });
  await pods.start('two', { measureVolume });
  const answers = Array.from({ length: 40 }, (_each, index) => measure(index % 2 === 0 ? 'one' : 'two'));
  expect(await Promise.all(answers)).toHaveLength(40);
});
