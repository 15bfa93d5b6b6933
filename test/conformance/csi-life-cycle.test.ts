import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLACEHOLDER_FILE } from '../../csi/placeholder.ts';
import { volumeAttachmentRecord } from '../../proto/volume-attachment.ts';
import { volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { volumeSpecRecord } from '../../proto/volume-spec.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';

const GIB = 1024 ** 3;
const capability = (mode = 'SINGLE_NODE_WRITER', fs_type = 'ext4') => ({ mount: { fs_type }, access_mode: { mode } });

let node: CsiNode;
let driver: CsiProcess;
beforeAll(async () => {
  node = await createCsiNode();
  driver = await node.start();
});
afterAll(async () => {
  await driver?.stop();
  await node?.close();
});

const create = async (name: string, mode?: string): Promise<string> => {
  const request = { name, capacity_range: { required_bytes: GIB }, volume_capabilities: [capability(mode)] };
  return (await driver.client.call('Controller', 'CreateVolume', request)).volume.volume_id;
};
const publication = (volume_id: string, target_path: string, pod: string, mode?: string) => ({
  volume_id,
  staging_target_path: join(node.scratch, 'staging'),
  target_path,
  volume_capability: capability(mode),
  volume_context: { 'csi.storage.k8s.io/pod.uid': pod },
});

describe('the life of a volume', () => {
  it('passes with every verb called twice, and leaves nothing', async () => {
    const { client } = driver;
    const volume_id = await create('pvc-1');
    expect(await create('pvc-1')).toBe(volume_id);
    const directory = join(node.pool, 'volumes', volume_id);
    const spec = volumeSpecRecord.decode(await readFile(join(directory, 'spec.json'), 'utf8'), 'spec.json');
    expect(spec).toMatchObject({ name: 'pvc-1', capacityBytes: GIB, fsType: 'ext4', isEphemeral: false });
    const fs = volumeFilesystemRecord.decode(await readFile(join(directory, 'fs.json'), 'utf8'), 'fs.json');
    expect(fs).toEqual({ state: 'never' });
    const image = await stat(join(directory, 'image.raw'));
    expect([image.size, image.blocks, image.mode & 0o777]).toEqual([GIB, 0, 0o600]);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);

    const staging = { volume_id, staging_target_path: join(node.scratch, 'staging') };
    for (let twice = 0; twice < 2; twice += 1) {
      await client.call('Node', 'NodeStageVolume', { ...staging, volume_capability: capability() });
    }
    const target = await node.target('pod-1');
    for (let twice = 0; twice < 2; twice += 1) {
      await client.call('Node', 'NodePublishVolume', publication(volume_id, target, 'pod-1'));
    }
    const mounts = await node.mounts();
    expect(mounts).toMatchObject([{ mountPoint: target, source: `berth:${volume_id}`, fsType: 'tmpfs' }]);
    const [record = ''] = await node.remains().then((all) => all.filter((path) => path.startsWith(node.runDirectory)));
    const [name = ''] = (await node.run('ls', record)).stdout.split('\n');
    const attachment = volumeAttachmentRecord.decode(await readFile(join(record, name), 'utf8'), name);
    expect(attachment).toMatchObject({
      volumeId: volume_id,
      podUid: 'pod-1',
      targetPath: target,
      volumeDirectory: directory,
      readOnly: false,
      accessMode: 'SINGLE_NODE_WRITER',
      mountFlags: [],
    });

    for (let twice = 0; twice < 2; twice += 1) {
      await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: target });
      expect(await node.mounts()).toEqual([]);
      await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
    }
    for (let twice = 0; twice < 2; twice += 1) await client.call('Node', 'NodeUnstageVolume', staging);
    for (let twice = 0; twice < 2; twice += 1) await client.call('Controller', 'DeleteVolume', { volume_id });
    expect(await node.remains()).toEqual([]);
  });

  it('refuses in the wrong order, and loses nothing', async () => {
    const { client } = driver;
    const volume_id = await create('pvc-2');
    const target = await node.target('pod-2');
    await client.call('Node', 'NodePublishVolume', publication(volume_id, target, 'pod-2'));
    await expect(client.call('Controller', 'DeleteVolume', { volume_id })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringMatching(`published for pod pod-2 at ${target}`),
    });
    await expect(stat(join(node.pool, 'volumes', volume_id, 'image.raw'))).resolves.toBeDefined();
    await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: target });
    await client.call('Controller', 'DeleteVolume', { volume_id });
    await expect(
      client.call('Node', 'NodePublishVolume', publication(volume_id, target, 'pod-2')),
    ).rejects.toMatchObject({ code: status.NOT_FOUND });
    expect(await node.remains()).toEqual([]);
  });

  it('honours readonly and the mode of the volume in the record', async () => {
    const { client } = driver;
    const volume_id = await create('pvc-ro');
    const target = await node.target('pod-ro');
    const request = publication(volume_id, target, 'pod-ro');
    await client.call('Node', 'NodePublishVolume', { ...request, readonly: true });
    const found = await node.run('sh', '-c', `cat ${node.runDirectory}/volumes/pod-ro/*.json`);
    expect(JSON.parse(found.stdout)).toMatchObject({ readOnly: true });
    await expect(client.call('Node', 'NodePublishVolume', request)).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
      details: expect.stringMatching('readOnly true'),
    });
    await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: target });
    await client.call('Controller', 'DeleteVolume', { volume_id });
  });

  it('publishes a volume of one writer once', async () => {
    const { client } = driver;
    const mode = 'SINGLE_NODE_SINGLE_WRITER';
    const volume_id = await create('pvc-rwop', mode);
    const [first, second] = [await node.target('pod-a'), await node.target('pod-b')];
    await client.call('Node', 'NodePublishVolume', publication(volume_id, first, 'pod-a', mode));
    await expect(
      client.call('Node', 'NodePublishVolume', publication(volume_id, second, 'pod-b', mode)),
    ).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringMatching(`single writer, and is published for pod pod-a at ${first}`),
    });
    expect((await node.mounts()).map(({ mountPoint }) => mountPoint)).toEqual([first]);
    await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: first });
    await client.call('Node', 'NodePublishVolume', publication(volume_id, second, 'pod-b', mode));
    await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: second });
    await client.call('Controller', 'DeleteVolume', { volume_id });
    expect(await node.remains()).toEqual([]);
  });

  it('publishes a volume of many writers for two pods', async () => {
    const { client } = driver;
    const mode = 'SINGLE_NODE_MULTI_WRITER';
    const volume_id = await create('pvc-rwo', mode);
    const targets = [await node.target('pod-a'), await node.target('pod-b')];
    for (const [index, target] of targets.entries()) {
      await client.call('Node', 'NodePublishVolume', publication(volume_id, target, `pod-${index}`, mode));
    }
    expect(await node.mounts()).toHaveLength(2);
    for (const target_path of targets) {
      await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
    }
    await client.call('Controller', 'DeleteVolume', { volume_id });
    expect(await node.remains()).toEqual([]);
  });
});

it('serves the volumes of one pod at the same time', async () => {
  const { client } = driver;
  const names = ['v0', 'v1', 'v2', 'v3'];
  const ids = await Promise.all(names.map((name) => create(name)));
  const targets = await Promise.all(names.map((name) => node.target(`pod-x/${name}`)));
  const publishAll = ids.map((id, index) =>
    client.call('Node', 'NodePublishVolume', publication(id, targets[index] ?? '', 'pod-x')),
  );
  await Promise.all(publishAll);
  expect(await node.mounts()).toHaveLength(names.length);
  // Each one's end is another one's beginning in the pod's directory of records.
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(
      ids.map(async (volume_id, index) => {
        const target_path = targets[index] ?? '';
        await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
        await client.call('Node', 'NodePublishVolume', publication(volume_id, target_path, 'pod-x'));
      }),
    );
  }
  await Promise.all(
    ids.map(async (volume_id, index) => {
      await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: targets[index] });
      await client.call('Controller', 'DeleteVolume', { volume_id });
    }),
  );
  expect(await node.remains()).toEqual([]);
  expect(await node.mounts()).toEqual([]);
});

describe('the placeholder', () => {
  it('lets kubelet make directories, and nobody write a byte', async () => {
    const { client } = driver;
    const volume_id = await create('pvc-ph');
    const target = await node.target('pod-ph');
    await client.call('Node', 'NodePublishVolume', publication(volume_id, target, 'pod-ph'));
    const deep = Array.from({ length: 40 }, (_, index) => `d${index}`).join('/');
    expect(await node.run('mkdir', '-p', `${target}/${deep}`)).toMatchObject({ exitCode: 0 });
    const write = await node.run('bash', '-c', `echo x > "${target}/data"`);
    expect(write).toMatchObject({ exitCode: 1, stderr: expect.stringMatching('No space left on device') });
    expect((await node.run('stat', '-c', '%a', target)).stdout).toBe('555');
    const help = await node.run('cat', join(target, PLACEHOLDER_FILE));
    expect(help.stdout.split('\n').slice(-10).join('\n')).toMatch('runtimeClassName');

    await node.run('rm', '-f', join(target, 'data'));
    await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: target });
    await client.call('Controller', 'DeleteVolume', { volume_id });
    expect(await node.mounts()).toEqual([]);
  });

  it('takes neither the place of another mount nor of files', async () => {
    const { client } = driver;
    const volume_id = await create('pvc-taken');
    const target = await node.target('pod-taken');
    await mkdir(target);
    await node.run('mount', '-t', 'tmpfs', 'somebody', target);
    const publish = () => client.call('Node', 'NodePublishVolume', publication(volume_id, target, 'pod-taken'));
    await expect(publish()).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringMatching('has something else mounted: tmpfs from somebody'),
    });
    await expect(client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: target })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    expect(await node.mounts()).toHaveLength(1);
    await node.run('umount', target);

    await writeFile(join(target, 'precious'), 'data');
    await expect(publish()).rejects.toMatchObject({ details: expect.stringMatching(`holds ${target}/precious`) });
    await expect(client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: target })).rejects.toMatchObject({
      details: expect.stringMatching('precious'),
    });
    expect(await readFile(join(target, 'precious'), 'utf8')).toBe('data');
    await node.run('rm', join(target, 'precious'));

    // What kubelet makes for subPaths where the placeholder is gone is no obstacle.
    await mkdir(join(target, 'a/b'), { recursive: true });
    await publish();
    await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: target });
    await client.call('Controller', 'DeleteVolume', { volume_id });
    expect(await node.remains()).toEqual([]);
  });

  it('goes layer by layer', async () => {
    const { client } = driver;
    const volume_id = await create('pvc-layers');
    const target = await node.target('pod-layers');
    await client.call('Node', 'NodePublishVolume', publication(volume_id, target, 'pod-layers'));
    await node.run('mount', '-t', 'tmpfs', `berth:${volume_id}`, target);
    expect(await node.mounts()).toHaveLength(2);
    await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: target });
    expect(await node.mounts()).toEqual([]);
    await client.call('Controller', 'DeleteVolume', { volume_id });
  });

  it('is found where the directory of kubelet is a symbolic link', async () => {
    const { client } = driver;
    const volume_id = await create('pvc-link');
    const real = await node.target('pod-link');
    await node.run('ln', '-s', join(node.scratch, 'kubelet'), join(node.scratch, 'link'));
    const target = real.replace('/kubelet/', '/link/');
    for (let twice = 0; twice < 2; twice += 1) {
      await client.call('Node', 'NodePublishVolume', publication(volume_id, target, 'pod-link'));
      expect((await node.mounts()).map(({ mountPoint }) => mountPoint)).toEqual([real]);
    }
    await client.call('Node', 'NodeUnpublishVolume', { volume_id, target_path: target });
    expect(await node.mounts()).toEqual([]);
    await client.call('Controller', 'DeleteVolume', { volume_id });
    expect(await node.remains()).toEqual([]);
  });
});
