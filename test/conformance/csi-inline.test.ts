import { readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CsiNode } from '../support/csi-node.ts';
import { createKubelet, type Kubelet, mounted, POD, raw } from '../support/kubelet.ts';

/** The calls that a kubelet makes of inline volumes, and of volumes for stock Kata. */
let kubelet: Kubelet;
let node: CsiNode;
beforeEach(async () => {
  kubelet = await createKubelet();
  node = kubelet.node;
});
afterEach(() => kubelet.close());

describe('an inline volume', () => {
  const id = `csi-${'0123456789abcdef'.repeat(4)}`;
  const context = (more: object = {}) => ({
    volume_context: {
      'csi.storage.k8s.io/ephemeral': 'true',
      'csi.storage.k8s.io/pod.uid': POD,
      'csi.storage.k8s.io/pod.name': 'pod',
      size: '64Mi',
      ...more,
    },
    staging_target_path: '',
  });
  const capability = { mount: { fs_type: '' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
  const volumes = () => readdir(join(node.pool, 'volumes'));

  it('comes and goes with its pod, with the size that it asks for', async () => {
    const target = await node.target(POD);
    await kubelet.publish(id, target, capability, context());
    await kubelet.restart();
    await kubelet.publish(id, target, capability, context());
    const [volumeId = ''] = await volumes();
    expect(await volumes()).toHaveLength(1);
    expect((await stat(join(node.pool, 'volumes', volumeId, 'image.raw'))).size).toBe(64 << 20);
    expect(await kubelet.attachments()).toMatchObject([{ volumeId, targetPath: target }]);
    expect((await node.mounts()).map(({ source }) => source)).toEqual([`berth:${volumeId}`]);
    const stats = await kubelet.call('Node', 'NodeGetVolumeStats', { volume_id: id, volume_path: target });
    expect(stats.usage).toMatchObject([{ total: String(64 << 20) }]);
    expect((await kubelet.call('Controller', 'ListVolumes')).entries).toEqual([]);
    await kubelet.unpublish(id, target);
    await kubelet.unpublish(id, target);
    expect(await node.mounts()).toEqual([]);
    expect(await node.remains()).toEqual([]);
  });

  it('is given to nobody who creates a volume by its name', async () => {
    const target = await node.target(POD);
    await kubelet.publish(id, target, capability, context());
    const request = { name: `ephemeral:${id}`, capacity_range: { required_bytes: 64 << 20 } };
    const create = kubelet.call('Controller', 'CreateVolume', { ...request, volume_capabilities: [capability] });
    await expect(create).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
      details: expect.stringContaining('inline volume'),
    });
    await kubelet.unpublish(id, target);
  });

  it('stays until the last of its targets is unpublished', async () => {
    const [target, other] = [await node.target(POD), await node.target('other')];
    await kubelet.publish(id, target, capability, context());
    await kubelet.publish(id, other, capability, context());
    await kubelet.unpublish(id, other);
    expect(await volumes()).toHaveLength(1);
    await kubelet.unpublish(id, target);
    expect(await node.remains()).toEqual([]);
  });

  it('is its pod’s still after the node has booted, with what is in it', async () => {
    const target = await node.target(POD);
    await kubelet.publish(id, target, capability, context());
    const [volumeId = ''] = await volumes();
    const image = join(node.pool, 'volumes', volumeId, 'image.raw');
    await writeFile(image, 'of the pod', { flag: 'r+' });
    await kubelet.reboot();
    expect(await node.mounts()).toEqual([]);
    expect(await kubelet.attachments()).toEqual([]);
    await kubelet.publish(id, target, capability, context());
    expect(await volumes()).toEqual([volumeId]);
    expect((await readFile(image)).subarray(0, 10).toString()).toBe('of the pod');
    await kubelet.unpublish(id, target);
    expect(await node.remains()).toEqual([]);
  });

  it('stays while a VM has it, and is gone after the next start', async () => {
    const target = await node.target(POD);
    await kubelet.publish(id, target, capability, context({ fsType: 'xfs', size: '300Mi', pool: 'main' }));
    const [volumeId = ''] = await volumes();
    const vm = await kubelet.holdLease(volumeId);
    await kubelet.unpublish(id, target);
    expect(await volumes()).toEqual([volumeId]);
    await kubelet.restart();
    expect(await volumes()).toEqual([volumeId]);
    await vm.release();
    await kubelet.restart();
    expect(await volumes()).toEqual([]);
  });

  it.each([
    ['without a size', { size: undefined }, /"size"\] is required/],
    ['with no size', { size: 'much' }, /"size"\]/],
    ['with another key', { colour: 'red' }, /"colour"\] is unknown/],
    ['of another file system', { fsType: 'ntfs' }, /"fsType"\]/],
  ])('%s is refused', async (_what, more, details) => {
    const { volume_context, ...rest } = context(more);
    const given = Object.fromEntries(Object.entries(volume_context).filter(([, value]) => value !== undefined));
    const target = await node.target(POD);
    await expect(kubelet.publish(id, target, capability, { ...rest, volume_context: given })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringMatching(details),
    });
    expect(await node.remains()).toEqual([]);
  });

  it('that cannot be published is not left behind', async () => {
    const target = join(node.scratch, 'no/such/directory');
    await expect(kubelet.publish(id, target, capability, context())).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    expect(await node.remains()).toEqual([]);
  });
});

describe('a volume for stock Kata', () => {
  const kata = { consumer: 'kata' };
  const root = () => `${node.root}/run/kata-containers/shared/direct-volumes`;

  it('has the record that Kata reads, until it is unpublished', async () => {
    const volumeId = await kubelet.create('pvc', mounted, kata);
    const image = join(await realpath(node.pool), 'volumes', volumeId, 'image.raw');
    expect((await execa('blkid', ['--probe', image])).stdout).toContain('TYPE="ext4"');
    const target = await node.target(POD);
    const capability = { ...mounted, mount: { fs_type: 'ext4', volume_mount_group: '1000', mount_flags: ['noatime'] } };
    await kubelet.publish(volumeId, target, capability, { readonly: true });
    const directory = join(root(), Buffer.from(target).toString('base64').replaceAll('+', '-').replaceAll('/', '_'));
    const text = await readFile(join(directory, 'mountInfo.json'), 'utf8');
    expect(text).toBe(
      `{"volume-type":"directvol","device":"${image}","fstype":"ext4",` +
        `"metadata":{"fsGroup":"1000","fsGroupChangePolicy":"OnRootMismatch"},"options":["noatime","ro"]}`,
    );
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, 'mountInfo.json'))).mode & 0o777).toBe(0o600);
    await writeFile(join(directory, 'a-sandbox-id'), '');
    await kubelet.publish(volumeId, target, capability, { readonly: true });
    await kubelet.unpublish(volumeId, target);
    expect(await readdir(root())).toEqual([]);
  });

  it('keeps its size, as nobody would grow what is on it', async () => {
    const volume_id = await kubelet.create('pvc', mounted, kata);
    const refusal = { code: status.INVALID_ARGUMENT, details: expect.stringContaining('Kata grows no file system') };
    const expand = (required_bytes: number) =>
      kubelet.call('Controller', 'ControllerExpandVolume', { volume_id, capacity_range: { required_bytes } });
    await expect(expand(2 ** 31)).rejects.toMatchObject(refusal);
    await expand(1 << 20);
    const copy = (name: string, required_bytes: number) =>
      kubelet.call('Controller', 'CreateVolume', {
        ...{ name, capacity_range: { required_bytes }, volume_capabilities: [mounted], parameters: kata },
        volume_content_source: { volume: { volume_id } },
      });
    await expect(copy('larger', 2 ** 31)).rejects.toMatchObject(refusal);
    await copy('equal', 0);
  });

  it('is published once, and never as a block device', async () => {
    const volumeId = await kubelet.create('pvc', mounted, kata);
    await kubelet.publish(volumeId, await node.target('pod-1'), mounted);
    await expect(kubelet.publish(volumeId, await node.target('pod-2'), mounted)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    const disk = await kubelet.create('disk', raw, kata).catch(() => undefined);
    if (disk === undefined) return;
    await expect(kubelet.publish(disk, await kubelet.blockTarget(), raw)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    expect(await kubelet.loops()).toEqual([]);
  });
});
