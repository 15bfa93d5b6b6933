import { mkdir, stat, truncate, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mapConcurrently } from '../../csi/map-concurrently.ts';
import { toDiskSerial, toNodeKey, toVolumeId } from '../../csi/volume-id.ts';
import { DEFAULT_CLASS, NO_LIMITS } from '../../proto/volume-class.ts';
import { volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { VOLUME_FILES, volumeSpecRecord } from '../../proto/volume-spec.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';
import { mountXfsPool } from '../support/xfs-pool.ts';

/**
 * What verbs cost must not grow with the volumes there are. Times are for the bench; here the pool's file system says
 * what was looked at: every read of a file or directory sets its time of access.
 */
const COUNT = 10_000;
const MIB = 1 << 20;
const writer = { mount: { fs_type: '' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

let node: CsiNode;
let driver: CsiProcess;
let ids: string[];

beforeAll(async () => {
  node = await createCsiNode();
  await mountXfsPool(node);
  await node.run('mount', '-o', 'remount,strictatime', node.pool);
  const pool = `main=image-file:${node.pool},overcommit=unlimited`;
  await (await node.start({ pool })).stop();
  ids = await makeVolumes(COUNT);
  driver = await node.start({ pool, 'log-level': 'info' });
}, 240_000);
afterAll(async () => {
  await driver?.stop();
  await node?.close();
});

/** As CreateVolume leaves them. */
async function makeVolumes(count: number): Promise<string[]> {
  const nodeKey = toNodeKey('node-1');
  const numbers = Array.from({ length: count }, (_, number) => number);
  const made = await mapConcurrently(numbers, 64, async (number) => {
    const name = `pvc-${number}`;
    const volumeId = toVolumeId('main', nodeKey, name);
    const directory = `${node.root}${node.pool}/volumes/${volumeId}`;
    await mkdir(directory, { mode: 0o700 });
    const spec = volumeSpecRecord.encode({
      ...{ volumeId, name, capacityBytes: 64 * MIB, fsType: 'ext4', accessModes: ['SINGLE_NODE_WRITER'] },
      ...{
        serial: toDiskSerial(volumeId),
        class: DEFAULT_CLASS,
        limits: NO_LIMITS,
        isEphemeral: false,
        createdAtMs: 1,
      },
    });
    await writeFile(`${directory}/${VOLUME_FILES.spec}`, spec);
    await writeFile(`${directory}/${VOLUME_FILES.filesystem}`, volumeFilesystemRecord.encode({ state: 'never' }));
    await writeFile(`${directory}/${VOLUME_FILES.lease}`, '');
    await writeFile(`${directory}/${VOLUME_FILES.image}`, '');
    await truncate(`${directory}/${VOLUME_FILES.image}`, 64 * MIB);
    return volumeId;
  });
  return made.sort();
}

/** Files of the pool, below their volume's directory, that `act` reads or makes. */
async function touchedBy(act: () => Promise<unknown>): Promise<string[]> {
  const volumes = `${node.root}${node.pool}/volumes`;
  const list = async () => (await node.run('find', `${node.pool}/volumes`, '-type', 'f', '-printf', '%P %A@\n')).stdout;
  const before = new Set((await list()).split('\n'));
  const { atimeNs } = await stat(volumes, { bigint: true });
  await act();
  expect((await stat(volumes, { bigint: true })).atimeNs, 'the directory of all volumes was read').toBe(atimeNs);
  const after = (await list()).split('\n').filter((line) => line !== '');
  return after.filter((line) => !before.has(line)).map((line) => line.replace(/ [^ ]*$/, ''));
}

const controller = (verb: 'CreateVolume' | 'ControllerGetVolume' | 'ControllerExpandVolume', request: object) =>
  driver.client.call('Controller', verb, request);

it('knows them all when it serves', async () => {
  expect(driver.log.join('\n')).toContain(`"volumes":${COUNT}`);
});

it('lists every volume once, page by page, and reads none for a page that was seen', async () => {
  const found: string[] = [];
  const walk = async (max_entries: number): Promise<void> => {
    for (let starting_token = ''; ; ) {
      const page = await driver.client.call('Controller', 'ListVolumes', { max_entries, starting_token });
      found.push(...page.entries.map(({ volume }) => volume.volume_id));
      starting_token = page.next_token;
      if (starting_token === '') return;
    }
  };
  await walk(700);
  expect(found).toEqual(ids);
  expect(await touchedBy(() => walk(700))).toEqual([]);
  found.splice(0);
  await walk(0);
  expect(found).toEqual(ids);
  const { entries, next_token } = await driver.client.call('Controller', 'ListVolumes', { max_entries: COUNT });
  expect(entries.length, 'more than a client of gRPC takes').toBeLessThan(COUNT);
  expect(next_token).toBe(entries.at(-1)?.volume.volume_id);
});

it('touches one volume in the life of one', async () => {
  const request = { name: 'one-more', capacity_range: { required_bytes: 64 * MIB }, volume_capabilities: [writer] };
  const target = await node.target('pod-1');
  let volumeId = '';
  const touched = await touchedBy(async () => {
    const { volume } = (await controller('CreateVolume', request)) as { volume: { volume_id: string } };
    volumeId = volume.volume_id;
    const volume_id = volumeId;
    await controller('CreateVolume', request);
    await controller('ControllerGetVolume', { volume_id });
    await controller('ControllerExpandVolume', { volume_id, capacity_range: { required_bytes: 65 * MIB } });
    const publication = { volume_id, target_path: target, volume_capability: writer };
    await driver.client.call('Node', 'NodePublishVolume', { ...publication, staging_target_path: '/s' });
    await driver.client.call('Node', 'NodeGetVolumeStats', { volume_id, volume_path: target });
    await driver.client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: target });
  });
  expect(touched.length).toBeGreaterThan(0);
  expect(touched.filter((file) => !file.startsWith(`${volumeId}/`))).toEqual([]);
  expect(await touchedBy(() => driver.client.call('Controller', 'DeleteVolume', { volume_id: volumeId }))).toEqual([]);
});
