import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toNodeKey, toVolumeId } from '../../csi/volume-id.ts';
import { FAILPOINT_MARK, FAILPOINT_VARIABLE, LIST_FAILPOINTS } from '../../runtime/system/failpoint.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { type Pass, parsePasses } from '../support/failpoints.ts';

const program = await buildWithFailpoints('csi');
const MIB = 1 << 20;
const writer = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
const volume_id = toVolumeId('main', toNodeKey('node-1'), 'tested');

/** Of a server with --controller-publish, in the order of a life. */
const VERBS = ['publish', 'unpublish'] as const;
type Verb = (typeof VERBS)[number];

let node: CsiNode;
let driver: CsiProcess;
beforeEach(async () => {
  node = await createCsiNode(program);
});
afterEach(() => node.close());

async function start(wanted = ''): Promise<void> {
  driver = await node.start({ 'controller-publish': '' }, { [FAILPOINT_VARIABLE]: wanted });
}

function run(verb: Verb | 'create' | 'delete'): Promise<unknown> {
  const { client } = driver;
  switch (verb) {
    case 'create':
      return client.call('Controller', 'CreateVolume', {
        ...{ name: 'tested', capacity_range: { required_bytes: 16 * MIB }, volume_capabilities: [writer] },
      });
    case 'publish':
      return client.call('Controller', 'ControllerPublishVolume', {
        ...{ volume_id, node_id: 'node-1', volume_capability: writer },
      });
    case 'unpublish':
      return client.call('Controller', 'ControllerUnpublishVolume', { volume_id, node_id: 'node-1' });
    case 'delete':
      return client.call('Controller', 'DeleteVolume', { volume_id });
  }
}

/** Whether the volume is published, as the driver says and its directory shows. */
async function isPublished(): Promise<boolean> {
  const { status: told } = await driver.client.call('Controller', 'ControllerGetVolume', { volume_id });
  const published = (await readdir(join(node.pool, 'volumes', volume_id))).includes('published.json');
  expect(told.published_node_ids).toEqual(published ? ['node-1'] : []);
  return published;
}

/** The points that each verb passes. */
async function liveOnce(): Promise<Record<Verb, Pass[]>> {
  node = await createCsiNode(program);
  await start(LIST_FAILPOINTS);
  await run('create');
  const told = () => parsePasses(driver.log.join('\n'));
  const passes: Record<Verb, Pass[]> = { publish: [], unpublish: [] };
  for (const verb of VERBS) {
    const passed = told().length;
    await run(verb);
    passes[verb] = told().slice(passed);
  }
  await driver.stop();
  await node.close();
  return passes;
}

const passes = await liveOnce();

describe.each(VERBS)('%s', (verb) => {
  it('syncs what it did', () => {
    expect(passes[verb].at(-1)).toMatch(/^directory\.synced/);
  });

  it.each(passes[verb])('killed at %s has happened or not, and can be repeated', async (pass) => {
    await start(pass);
    await run('create');
    if (verb === 'unpublish') await run('publish');
    await expect(run(verb)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(await driver.ended()).toBe('SIGKILL');
    expect(driver.log.at(-1)).toBe(`${FAILPOINT_MARK}${pass} kills`);
    await start();
    await isPublished();
    await run(verb);
    expect(await isPublished()).toBe(verb === 'publish');
    const names = await readdir(join(node.pool, 'volumes', volume_id));
    expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await run('unpublish');
    await run('delete');
    expect(await node.remains()).toEqual([]);
    await driver.stop();
  });
});

it('that cannot be read keeps nobody from the other volumes, and ends with its unpublication', async () => {
  await start();
  await run('create');
  await run('publish');
  await driver.stop();
  await writeFile(join(node.pool, 'volumes', volume_id, 'published.json'), '{');
  await start();
  expect(driver.log.join('\n')).toContain('whether a volume is published cannot be read');
  const { entries } = await driver.client.call('Controller', 'ListVolumes');
  expect(entries.map(({ volume }) => volume.volume_id)).toEqual([volume_id]);
  for (const verb of ['publish', 'delete'] as const) {
    await expect(run(verb)).rejects.toMatchObject({ code: status.INTERNAL, details: expect.stringContaining('JSON') });
  }
  await run('unpublish');
  expect(await isPublished()).toBe(false);
  await run('publish');
  await run('unpublish');
  await run('delete');
});
