import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { podPaths, runPaths } from '../../proto/paths.ts';
import type { CsiNode } from '../support/csi-node.ts';
import { createKubelet, GIB, type Kubelet, mounted, POD, SANDBOX } from '../support/kubelet.ts';

/** The calls that a kubelet makes, in its order, with what it does to the paths between them. */
let kubelet: Kubelet;
let node: CsiNode;
beforeEach(async () => {
  kubelet = await createKubelet();
  node = kubelet.node;
});
afterEach(() => kubelet.close());

describe('a volume with a file system', () => {
  it('is published again for a running pod when kubelet starts, and nothing is mounted anew', async () => {
    const volumeId = await kubelet.create('pvc', mounted);
    const target = await node.target(POD);
    await kubelet.publish(volumeId, target, mounted);
    const [before, record] = [await node.mounts(), await kubelet.attachments()];
    expect(await execa('mkdir', ['-p', `${node.root}${target}/deep/sub path`])).toMatchObject({ exitCode: 0 });
    await kubelet.restart();
    await kubelet.publish(volumeId, target, mounted);
    expect(await node.mounts()).toEqual(before);
    expect(await kubelet.attachments()).toEqual(record);
    await kubelet.unpublish(volumeId, target);
    expect(await node.mounts()).toEqual([]);
  });

  it('is told of the group that owns it, and of a readonly mode', async () => {
    const group = { ...mounted, mount: { fs_type: 'ext4', volume_mount_group: '4711' } };
    const volumeId = await kubelet.create('pvc', mounted);
    const target = await node.target(POD);
    await kubelet.publish(volumeId, target, group, { readonly: true });
    expect(await kubelet.attachments()).toMatchObject([{ fsGroup: 4711, readOnly: true, volumeMode: 'Filesystem' }]);
    await expect(kubelet.publish(volumeId, target, mounted, { readonly: true })).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
    });
    const mode = 'MULTI_NODE_READER_ONLY';
    const readers = { mount: { fs_type: 'ext4' }, access_mode: { mode } };
    const shared = await kubelet.create('rox', readers);
    const other = await node.target('reader');
    await kubelet.publish(shared, other, readers, { volume_context: { 'csi.storage.k8s.io/pod.uid': 'reader' } });
    expect(await kubelet.attachments('reader')).toMatchObject([{ readOnly: true, accessMode: mode }]);
  });

  it('goes while the VM runs, and is not deleted until the VM has ended', async () => {
    const volumeId = await kubelet.create('pvc', mounted);
    const target = await node.target(POD);
    await kubelet.publish(volumeId, target, mounted);
    const vm = await kubelet.holdLease(volumeId);
    await kubelet.unpublish(volumeId, target);
    expect(await node.mounts()).toEqual([]);
    expect(await kubelet.attachments()).toEqual([]);
    await expect(kubelet.remove(volumeId)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    await vm.release();
    await kubelet.remove(volumeId);
    expect(await node.remains()).toEqual([]);
  });

  it('is not deleted before it is unpublished, when a pod is deleted by force', async () => {
    const volumeId = await kubelet.create('pvc', mounted);
    const target = await node.target(POD);
    await kubelet.publish(volumeId, target, mounted);
    const vm = await kubelet.holdLease(volumeId);
    await expect(kubelet.remove(volumeId)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    await kubelet.unpublish(volumeId, target);
    await expect(kubelet.remove(volumeId)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    await vm.release();
    await kubelet.remove(volumeId);
  });

  it('grows before there is a VM', async () => {
    const volume_id = await kubelet.create('pvc', mounted);
    const target = await node.target(POD);
    const capacity_range = { required_bytes: 2 * GIB };
    const grown = await kubelet.call('Controller', 'ControllerExpandVolume', { volume_id, capacity_range });
    expect(grown).toMatchObject({ capacity_bytes: String(2 * GIB), node_expansion_required: true });
    await kubelet.publish(volume_id, target, mounted);
    const expand = { volume_id, volume_path: target, capacity_range, volume_capability: mounted };
    expect(await kubelet.call('Node', 'NodeExpandVolume', expand)).toEqual({ capacity_bytes: String(2 * GIB) });
    expect((await stat(join(node.pool, 'volumes', volume_id, 'image.raw'))).size).toBe(2 * GIB);
    await expect(
      kubelet.call('Node', 'NodeExpandVolume', { ...expand, capacity_range: { required_bytes: 3 * GIB } }),
    ).rejects.toMatchObject({ code: status.OUT_OF_RANGE });
  });

  it('grows later when its VM cannot be told now', async () => {
    const volume_id = await kubelet.create('pvc', mounted);
    const target = await node.target(POD);
    await kubelet.publish(volume_id, target, mounted);
    const vm = await kubelet.holdLease(volume_id);
    await expect(
      kubelet.call('Node', 'NodeExpandVolume', { volume_id, volume_path: target, volume_capability: mounted }),
    ).rejects.toMatchObject({ code: status.ABORTED });
    await vm.release();
    await kubelet.call('Node', 'NodeExpandVolume', { volume_id, volume_path: target, volume_capability: mounted });
  });

  it('cannot be published at the target of another at the same time', async () => {
    const volumeIds = [await kubelet.create('pvc-1', mounted), await kubelet.create('pvc-2', mounted)];
    const target = await node.target(POD);
    const outcomes = await Promise.allSettled(volumeIds.map((volumeId) => kubelet.publish(volumeId, target, mounted)));
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await node.mounts()).filter(({ mountPoint }) => mountPoint === target)).toHaveLength(1);
    expect(await kubelet.attachments()).toHaveLength(1);
  });

  it('leaves nothing, or says what stays', async () => {
    const volumeId = await kubelet.create('pvc', mounted);
    const target = await node.target(POD);
    await kubelet.publish(volumeId, target, mounted);
    await node.run('mount', '-t', 'tmpfs', 'stranger', target);
    await expect(kubelet.unpublish(volumeId, target)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringContaining('tmpfs from stranger'),
    });
    await node.run('umount', target);
    await kubelet.unpublish(volumeId, target);
    await mkdir(target);
    await writeFile(join(target, 'file'), '');
    await expect(kubelet.unpublish(volumeId, target)).rejects.toMatchObject({
      details: expect.stringContaining('/file'),
    });
    await rm(join(target, 'file'));
    await mkdir(join(target, 'empty/directories'), { recursive: true });
    await kubelet.unpublish(volumeId, target);
    await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('statistics', () => {
  const stats = (volume_id: string, volume_path: string) =>
    kubelet.call('Node', 'NodeGetVolumeStats', { volume_id, volume_path });

  it('of a volume that no VM has had are those of an empty one', async () => {
    const volumeId = await kubelet.create('pvc', mounted);
    const target = await node.target(POD);
    await kubelet.publish(volumeId, target, mounted);
    expect(await stats(volumeId, target)).toEqual({
      usage: [{ unit: 'BYTES', total: String(GIB), available: String(GIB), used: '0' }],
      volume_condition: { abnormal: false, message: 'nothing is wrong with the volume' },
    });
  });

  it('are not found for another path, or an unknown volume', async () => {
    const volumeId = await kubelet.create('pvc', mounted);
    const target = await node.target(POD);
    await expect(stats(volumeId, target)).rejects.toMatchObject({ code: status.NOT_FOUND });
    await kubelet.publish(volumeId, target, mounted);
    for (const [id, path] of [
      [volumeId, 'some/path'],
      [volumeId, node.scratch],
      ['no-volume', target],
    ] as const) {
      await expect(stats(id, path)).rejects.toMatchObject({ code: status.NOT_FOUND });
    }
  });

  it('do not wait long for a VM that hangs, and say that it does', async () => {
    const volumeId = await kubelet.create('pvc', mounted);
    const target = await node.target(POD);
    await kubelet.publish(volumeId, target, mounted);
    const vm = await kubelet.holdLease(volumeId);
    const { directory, shimSocket } = podPaths(runPaths(node.runDirectory), SANDBOX);
    await mkdir(directory, { recursive: true });
    const deaf = await listen(shimSocket);
    const startedAt = performance.now();
    const answer = await stats(volumeId, target);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(answer.volume_condition).toEqual({
      abnormal: true,
      message: expect.stringMatching(/^the guest cannot be asked: .*MeasureVolume did not answer within 2000 ms$/),
    });
    deaf.close();
    await vm.release();
  });
});

it('says what the node is', async () => {
  await kubelet.restart({ 'max-volumes-per-node': '7' });
  expect(await kubelet.call('Node', 'NodeGetInfo')).toEqual({
    node_id: 'node-1',
    max_volumes_per_node: '7',
    accessible_topology: { segments: { 'csi.berth.dev/node': 'node-1' } },
  });
});

/** Takes connections and never answers. */
function listen(path: string): Promise<Server> {
  const server = createServer(() => {});
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}
