import { open, readdir, readFile, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toNodeKey, toVolumeId } from '../../csi/volume-id.ts';
import { VOLUME_FILES, volumeSpecRecord } from '../../proto/volume-spec.ts';
import { FAILPOINT_MARK, FAILPOINT_VARIABLE, LIST_FAILPOINTS } from '../../runtime/system/failpoint.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { failpointsOf, type Pass, parsePasses, pointsOf } from '../support/failpoints.ts';

const program = await buildWithFailpoints('csi');
const writer = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
const SIZE_BYTES = 16 * 1024 ** 2;
const DATA = 'what a guest has written';

/** A volume, and the pod of the same name that it is published for. */
type Name = 'witness' | 'tested';
type Verb = 'create' | 'publish' | 'unpublish' | 'delete';
const LIFE = ['create', 'publish', 'unpublish', 'delete'] as const;
const OPPOSITE = { create: 'delete', publish: 'unpublish', unpublish: 'publish', delete: 'create' } as const;
/** What is left to do when the verb is done. */
const REST = { create: ['delete'], publish: ['unpublish', 'delete'], unpublish: ['delete'], delete: [] } as const;

let node: CsiNode;
let driver: CsiProcess;
beforeEach(async () => {
  node = await createCsiNode(program);
});
afterEach(() => node.close());

const idOf = (name: Name) => toVolumeId('main', toNodeKey('node-1'), name);
const directoryOf = (name: Name) => join(node.pool, 'volumes', idOf(name));
const imageOf = (name: Name) => join(directoryOf(name), VOLUME_FILES.image);

async function start(wanted = ''): Promise<void> {
  driver = await node.start({}, { [FAILPOINT_VARIABLE]: wanted });
}

async function run(verb: Verb, name: Name): Promise<unknown> {
  const volume_id = idOf(name);
  const target_path = await node.target(name);
  const { client } = driver;
  switch (verb) {
    case 'create': {
      const capacity_range = { required_bytes: SIZE_BYTES };
      return client.call('Controller', 'CreateVolume', { name, capacity_range, volume_capabilities: [writer] });
    }
    case 'publish':
      return client.call('Node', 'NodePublishVolume', {
        ...{ volume_id, target_path, staging_target_path: '/staging', volume_capability: writer },
        volume_context: { 'csi.storage.k8s.io/pod.uid': name },
      });
    case 'unpublish':
      return client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
    case 'delete':
      return client.call('Controller', 'DeleteVolume', { volume_id });
  }
}

/** The driver's first hours: a published volume with data, then the life of another up to the verb. */
async function liveUpTo(verb: Verb): Promise<void> {
  for (const [name, verbs] of [
    ['witness', ['create', 'publish']],
    ['tested', LIFE.slice(0, LIFE.indexOf(verb))],
  ] as const) {
    for (const done of verbs) {
      await run(done, name);
      if (done === 'create') await writeFile(imageOf(name), DATA, { flag: 'r+' });
    }
  }
}

/** Every file and directory that the driver has made, and what is mounted. Records are named by a hash of the path. */
async function readState(): Promise<string[]> {
  const mounts = (await node.mounts()).map(({ mountPoint, source, fsType }) => `${mountPoint} ${source} ${fsType}`);
  const files = (await readdir(node.scratch, { recursive: true })).filter((path) => !path.startsWith('kubelet/pods/'));
  return [...mounts, ...files].map((line) => line.replaceAll(node.scratch, '').replace(/[0-9a-f]{32}/, 'hash')).sort();
}

async function readData(name: Name): Promise<string> {
  const image = await open(imageOf(name));
  try {
    const { buffer } = await image.read({ buffer: Buffer.alloc(DATA.length) });
    return buffer.toString();
  } finally {
    await image.close();
  }
}

async function expectVisible(name: Name, visible: boolean): Promise<void> {
  const asked = { volume_id: idOf(name), volume_capabilities: [writer] };
  const answer = driver.client.call('Controller', 'ValidateVolumeCapabilities', asked);
  if (visible) await expect(answer).resolves.toMatchObject({ confirmed: { volume_capabilities: [{}] } });
  else await expect(answer).rejects.toMatchObject({ code: status.NOT_FOUND });
}

/** A volume that is there is there as a whole. */
async function expectWhole(name: Name): Promise<void> {
  const files = Object.values(VOLUME_FILES).sort();
  expect((await readdir(directoryOf(name))).sort()).toEqual(files);
  expect((await stat(imageOf(name))).size).toBe(SIZE_BYTES);
  const text = await readFile(join(directoryOf(name), VOLUME_FILES.spec), 'utf8');
  expect(volumeSpecRecord.decode(text, 'spec')).toMatchObject({ name, capacityBytes: SIZE_BYTES });
  await expectVisible(name, true);
}

async function expectPublished(name: Name, published: boolean): Promise<void> {
  const target = await node.target(name);
  const layers = (await node.mounts()).filter(({ mountPoint }) => mountPoint === target);
  expect(layers).toHaveLength(published ? 1 : 0);
  const records = await readdir(join(node.runDirectory, 'volumes', name)).catch(() => []);
  expect(records).toHaveLength(published ? 1 : 0);
  const found = await statfs(`${node.root}${target}`).catch(() => undefined);
  expect(found?.bavail).toBe(published ? 0 : undefined);
}

async function expectDone(verb: Verb, name: Name): Promise<void> {
  await expectPublished(name, verb === 'publish');
  if (verb === 'delete') await expectVisible(name, false);
  else await expectWhole(name);
}

async function expectWitness(): Promise<void> {
  await expectDone('publish', 'witness');
  expect(await readData('witness')).toBe(DATA);
}

/** What every start has to bring about, whatever was interrupted. */
async function expectNothingHalf(): Promise<void> {
  await expectWitness();
  expect((await readState()).filter((path) => /\.tmp$|^pool\/(incoming|trash)\//.test(path))).toEqual([]);
  const volumes = await readdir(join(node.pool, 'volumes'));
  if (volumes.includes(idOf('tested'))) await expectWhole('tested');
  else await expectVisible('tested', false);
}

/** The passes of a whole life without a crash, and what it leaves: the witness and the driver's own files. */
async function liveOnce(): Promise<{ passes: Record<'start' | Verb, Pass[]>; state: string[] }> {
  node = await createCsiNode(program);
  await start(LIST_FAILPOINTS);
  await liveUpTo('delete');
  await run('delete', 'tested');
  const state = await readState();
  await driver.stop();
  await node.close();
  const ends = driver.log.flatMap((line, index) => (/"message":"(serving|verb done)"/.test(line) ? [index] : []));
  const passes = parsePasses(driver.log.join('\n'));
  const countBefore = (end = 0) => driver.log.slice(0, end).filter((line) => line.startsWith(FAILPOINT_MARK)).length;
  const [serving, , published, ...verbs] = ends;
  const between = (from: number | undefined, to: number | undefined) =>
    passes.slice(countBefore(from), countBefore(to));
  return {
    passes: {
      start: between(0, serving),
      create: between(published, verbs[0]),
      publish: between(verbs[0], verbs[1]),
      unpublish: between(verbs[1], verbs[2]),
      delete: between(verbs[2], verbs[3]),
    },
    state,
  };
}

const clean = await liveOnce();

/** Runs the verb on a driver that is armed, and starts another. */
async function runKilled(verb: Verb, pass: Pass): Promise<void> {
  await start(pass);
  await liveUpTo(verb);
  await expect(run(verb, 'tested')).rejects.toMatchObject({ code: status.UNAVAILABLE });
  expect(await driver.ended()).toBe('SIGKILL');
  expect(driver.log.at(-1)).toBe(`${FAILPOINT_MARK}${pass} kills`);
  await start();
  await expectNothingHalf();
}

async function finishAfter(verb: Verb): Promise<void> {
  for (const left of REST[verb]) await run(left, 'tested');
  await expectWitness();
  expect(await readState()).toEqual(clean.state);
  await driver.stop();
}

describe.each(LIFE)('%s', (verb) => {
  const opposite = OPPOSITE[verb];

  it.each(clean.passes[verb])(`killed at %s can be repeated, then ${opposite} succeeds`, async (pass) => {
    await runKilled(verb, pass);
    await run(verb, 'tested');
    await expectDone(verb, 'tested');
    if (verb === 'publish' || verb === 'unpublish') expect(await readData('tested')).toBe(DATA);
    await run(opposite, 'tested');
    await expectDone(opposite, 'tested');
    await finishAfter(opposite);
  });

  it.each(clean.passes[verb])(`killed at %s can be followed by ${opposite}`, async (pass) => {
    await runKilled(verb, pass);
    await run(opposite, 'tested');
    await expectDone(opposite, 'tested');
    if (verb === 'publish' || verb === 'unpublish') expect(await readData('tested')).toBe(DATA);
    await finishAfter(opposite);
  });
});

describe('the first start', () => {
  it.each(clean.passes.start)('killed at %s can be repeated', async (pass) => {
    await expect(start(pass)).rejects.toThrow(`${FAILPOINT_MARK}${pass} kills`);
    await start();
    await liveUpTo('publish');
    await expectNothingHalf();
    await finishAfter('create');
  });
});

/** SIGKILL loses nothing that the kernel has: that it is on disk too before it is promised shows only in the order. */
it.each([
  ['create', 'begun file-written file-written file-written file-written synced placed synced'],
  ['delete', 'lease-taken discarded synced freed'],
] as const)('%s syncs directories before it goes on', (verb, order) => {
  const steps = clean.passes[verb].map((pass) => pass.replace(/^[a-z]+\.|:\d+$/g, ''));
  expect(steps.join(' ')).toBe(order);
});

it('reaches every failpoint of the driver', () => {
  expect(pointsOf(Object.values(clean.passes).flat())).toEqual(failpointsOf('csi'));
});
