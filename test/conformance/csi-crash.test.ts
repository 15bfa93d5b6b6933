import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePodUid, parseSandboxId } from '../../proto/ids.ts';
import { volumeLeaseRecord } from '../../proto/volume-lease.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';

const writer = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

let node: CsiNode;
let driver: CsiProcess;
beforeEach(async () => {
  node = await createCsiNode();
  driver = await node.start();
});
afterEach(async () => {
  await driver?.stop();
  await node?.close();
});

const create = async (name: string): Promise<string> =>
  (await driver.client.call('Controller', 'CreateVolume', { name, volume_capabilities: [writer] })).volume.volume_id;
const publish = (volume_id: string, target_path: string) =>
  driver.client.call('Node', 'NodePublishVolume', {
    volume_id,
    target_path,
    staging_target_path: '/staging',
    volume_capability: writer,
    volume_context: { 'csi.storage.k8s.io/pod.uid': 'pod-1' },
  });
const unpublish = (volume_id: string, target_path: string) =>
  driver.client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
const remove = (volume_id: string) => driver.client.call('Controller', 'DeleteVolume', { volume_id });

/** Kills the driver and starts another. */
async function crash(): Promise<void> {
  await driver.crash();
  driver = await node.start();
}

describe('after a crash', () => {
  it('volumes and publications are as they were', async () => {
    const volume_id = await create('kept');
    const image = join(node.pool, 'volumes', volume_id, VOLUME_FILES.image);
    await writeFile(image, 'data', { flag: 'r+' });
    const target = await node.target('pod-1');
    await publish(volume_id, target);
    const before = await node.mounts();
    await crash();
    expect(await create('kept')).toBe(volume_id);
    await publish(volume_id, target);
    expect(await node.mounts()).toEqual(before);
    expect((await node.run('head', '--bytes=4', image)).stdout).toBe('data');
    await unpublish(volume_id, target);
    await remove(volume_id);
    expect(await node.remains()).toEqual([]);
  });

  it('what was being made or freed is swept, without following links', async () => {
    await driver.stop();
    const precious = join(node.scratch, 'precious');
    await mkdir(precious);
    await writeFile(join(precious, 'file'), 'data');
    for (const place of ['incoming', 'trash']) {
      await mkdir(join(node.pool, place, 'main.0123456789ab.v.1'));
      await writeFile(join(node.pool, place, 'main.0123456789ab.v.1', VOLUME_FILES.image), 'half');
      await symlink(precious, join(node.pool, place, 'main.0123456789ab.v.1', 'link'));
    }
    driver = await node.start();
    expect(await node.remains()).toEqual([]);
    expect(await readFile(join(precious, 'file'), 'utf8')).toBe('data');
    expect(driver.log.filter((line) => line.includes('interrupted verb'))).toHaveLength(2);
  });

  it('a record without its placeholder gets one', async () => {
    const volume_id = await create('record');
    const target = await node.target('pod-1');
    await publish(volume_id, target);
    await node.run('umount', target);
    await crash();
    await publish(volume_id, target);
    expect(await node.mounts()).toMatchObject([{ mountPoint: target, source: `berth:${volume_id}` }]);
    await node.run('umount', target);
    await node.run('rmdir', target);
    await unpublish(volume_id, target);
    await remove(volume_id);
    expect(await node.remains()).toEqual([]);
  });

  it('a placeholder without its record, or not yet full, is completed', async () => {
    const volume_id = await create('placeholder');
    const target = await node.target('pod-1');
    await mkdir(target);
    await node.run('mount', '-t', 'tmpfs', '-o', 'size=4k,nr_inodes=1024,mode=0555', `berth:${volume_id}`, target);
    await crash();
    await publish(volume_id, target);
    expect(await node.mounts()).toHaveLength(1);
    expect((await node.run('stat', '-f', '-c', '%a', target)).stdout).toBe('0');
    await node.run('rm', '-r', join(node.runDirectory, 'volumes'));
    await unpublish(volume_id, target);
    expect(await node.mounts()).toEqual([]);
    await remove(volume_id);
    expect(await node.remains()).toEqual([]);
  });

  it('a publication that failed leaves nothing', async () => {
    const volume_id = await create('undone');
    const call = publish(volume_id, join(node.scratch, 'no-such-directory/mount'));
    await expect(call).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(await readdir(join(node.runDirectory, 'volumes'))).toEqual([]);
    await remove(volume_id);
  });

  it('a record of another version is refused by name, and protects its volume', async () => {
    const volume_id = await create('future');
    const target = await node.target('pod-1');
    await publish(volume_id, target);
    const directory = join(node.runDirectory, 'volumes/pod-1');
    const [name = ''] = await readdir(directory);
    const text = await readFile(join(directory, name), 'utf8');
    await writeFile(join(directory, name), text.replace(/"v": \d+/, '"v": 99'));
    await crash();
    await expect(remove(volume_id)).rejects.toMatchObject({
      code: status.INTERNAL,
      details: expect.stringMatching('has version 99; this berth reads version 2'),
    });
    await unpublish(await create('other'), await node.target('pod-2'));
    expect(await readdir(join(node.pool, 'volumes'))).toContain(volume_id);
    await writeFile(join(directory, name), text);
    await unpublish(volume_id, target);
    await remove(volume_id);
  });
});

describe('DeleteVolume', () => {
  it('is refused while a VM holds the lease, naming the owner', async () => {
    const volume_id = await create('leased');
    const lease = join(node.pool, 'volumes', volume_id, VOLUME_FILES.lease);
    const owner = {
      podUid: parsePodUid('pod-7'),
      sandboxId: parseSandboxId('sandbox-7'),
      node: 'node-1',
      takenAtMs: 1,
    };
    await writeFile(lease, volumeLeaseRecord.encode(owner));
    const held = ['--nonblock', '--no-fork', lease, 'sh', '-c', 'echo held; exec cat'];
    const holder = execa('flock', held, { reject: false });
    await once(holder.stdout, 'data');
    await expect(remove(volume_id)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details:
        `volume ${volume_id} is in use by the VM of pod pod-7 (sandbox sandbox-7); ` +
        'end that pod first ("berth stop sandbox-7")',
    });
    expect((await stat(join(node.pool, 'volumes', volume_id, VOLUME_FILES.image))).size).toBe(1024 ** 3);
    holder.kill('SIGKILL');
    await holder;
    await remove(volume_id);
    expect(await node.remains()).toEqual([]);
  });
});
