import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseVolumeId } from '../../proto/ids.ts';
import { placeholderSource } from '../../proto/volume-attachment.ts';
import { containerPrefix } from '../support/container.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';

const POD = 'a1b2c3';
const MIB = 1 << 20;
const access_mode = { mode: 'SINGLE_NODE_WRITER' };
const mounted = { mount: { fs_type: 'ext4' }, access_mode };
const raw = { block: {}, access_mode };

/** A driver that is a container, as of a DaemonSet; kubelet and VMs are on the node, and see its mounts or do not. */
let node: CsiNode;
let driver: CsiProcess;
let prefix: readonly string[];
beforeEach(async () => {
  node = await createCsiNode();
  const [plugin, state, kubelet] = ['plugin', 'state', 'kubelet'].map((name) => join(node.scratch, name)) as Three;
  await node.exec('mkdir', plugin, state, node.runDirectory);
  await node.exec('mount', '--bind', kubelet, kubelet);
  await node.exec('mount', '--make-rshared', kubelet);
  prefix = containerPrefix({
    image: ['/usr', dirname(process.execPath), join(node.scratch, 'dist')],
    mounted: [node.pool, node.runDirectory, state, plugin],
    propagated: [kubelet],
  });
  await start();
});
afterEach(async () => {
  await driver.stop();
  await node.close();
});

type Three = [string, string, string];

async function start(): Promise<void> {
  driver = await node.start({ endpoint: `unix://${join(node.scratch, 'plugin', 'csi.sock')}` }, {}, prefix);
}

async function create(name: string, capability: object): Promise<string> {
  const request = { name, capacity_range: { required_bytes: 16 * MIB }, volume_capabilities: [capability] };
  return (await driver.client.call('Controller', 'CreateVolume', request)).volume.volume_id;
}

function publish(volume_id: string, target_path: string, volume_capability: object): Promise<object> {
  const volume_context = { 'csi.storage.k8s.io/pod.uid': POD };
  const paths = { target_path, staging_target_path: join(node.scratch, 'staging') };
  return driver.client.call('Node', 'NodePublishVolume', { volume_id, ...paths, volume_capability, volume_context });
}

/** Of the node, below kubelet's directory. */
async function mounts() {
  return (await node.mounts()).filter(({ mountPoint }) => mountPoint.startsWith(`${node.scratch}/kubelet/`));
}

describe('berth-csi in a container', () => {
  it('publishes on the node, and the next container takes it back', async () => {
    const volume_id = await create('pvc', mounted);
    const target_path = await node.target(POD);
    await publish(volume_id, target_path, mounted);
    const source = placeholderSource(parseVolumeId(volume_id));
    expect(await mounts()).toMatchObject([{ mountPoint: target_path, source }]);
    expect(await readdir(join(node.runDirectory, 'volumes', POD))).toHaveLength(1);

    await driver.stop();
    expect(await mounts()).toMatchObject([{ mountPoint: target_path, source }]);
    await start();
    await publish(volume_id, target_path, mounted);
    expect(await mounts()).toHaveLength(1);
    await driver.client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
    expect(await mounts()).toEqual([]);
    await driver.client.call('Controller', 'DeleteVolume', { volume_id });
    expect(await node.remains()).toEqual([]);
  });

  it('publishes a block device on the node', async () => {
    const volume_id = await create('raw', raw);
    const target_path = await node.target(POD);
    await publish(volume_id, target_path, raw);
    expect((await stat(`${node.root}${target_path}`)).isBlockDevice()).toBe(true);
    await driver.client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
    expect(await mounts()).toEqual([]);
    await driver.client.call('Controller', 'DeleteVolume', { volume_id });
    expect(await node.remains()).toEqual([]);
  });

  it('is killed with its mounts in place, which the next one takes back', async () => {
    const volume_id = await create('pvc', mounted);
    const target_path = await node.target(POD);
    await publish(volume_id, target_path, mounted);
    await driver.crash();
    expect(await mounts()).toHaveLength(1);
    await start();
    await driver.client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
    expect(await mounts()).toEqual([]);
  });

  it('is seen by nobody where kubelet’s directory is not propagated', async () => {
    await driver.stop();
    await node.exec('mount', '--make-rprivate', join(node.scratch, 'kubelet'));
    await start();
    const volume_id = await create('pvc', mounted);
    await publish(volume_id, await node.target(POD), mounted);
    expect(await mounts()).toEqual([]);
  });
});
