import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toDeviceNumber } from '../../runtime/system/device-number.ts';
import type { CsiNode } from '../support/csi-node.ts';
import { createKubelet, GIB, type Kubelet, POD, raw } from '../support/kubelet.ts';

/** The calls that a kubelet makes of a volume in Block mode, and what it does with the device. */
let kubelet: Kubelet;
let node: CsiNode;
beforeEach(async () => {
  kubelet = await createKubelet();
  node = kubelet.node;
});
afterEach(() => kubelet.close());

describe('a block volume', () => {
  it('keeps its number over restarts, with the paths and the loop that kubelet makes of it', async () => {
    const volumeId = await kubelet.create('pvc', raw);
    const target = await kubelet.blockTarget();
    await kubelet.publish(volumeId, target, raw);
    const { rdev } = await stat(target);
    expect(await kubelet.attachments()).toMatchObject([{ volumeMode: 'Block', device: toDeviceNumber(rdev) }]);

    // kubelet: a bind mount at a path of its own, and a second loop over it.
    const own = join(node.scratch, 'kubelet/volumeDevices/pv/dev', POD);
    await mkdir(dirname(own), { recursive: true });
    await writeFile(own, '');
    expect(await node.run('mount', '--bind', target, own)).toMatchObject({ exitCode: 0 });
    const second = (await node.run('losetup', '--find', '--show', '--read-only', own)).stdout.trim();
    expect(second).toMatch(/^\/dev\/loop\d+$/);

    await kubelet.restart();
    await kubelet.publish(volumeId, target, raw);
    expect((await stat(target)).rdev).toBe(rdev);
    expect(await kubelet.loops()).toHaveLength(1);
    const stats = await kubelet.call('Node', 'NodeGetVolumeStats', { volume_id: volumeId, volume_path: own });
    expect(stats.usage).toMatchObject([{ unit: 'BYTES', total: String(GIB) }]);
    const other = { volume_id: volumeId, volume_path: '/dev/null' };
    await expect(kubelet.call('Node', 'NodeGetVolumeStats', other)).rejects.toMatchObject({ code: status.NOT_FOUND });

    await node.run('losetup', '--detach', second);
    await node.run('umount', own);
    await kubelet.unpublish(volumeId, target);
    await kubelet.unpublish(volumeId, target);
    await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await kubelet.loops()).toEqual([]);
    expect(await readdir(join(node.runDirectory, 'csi/block'))).toEqual([]);
    await kubelet.remove(volumeId);
    expect(await node.remains()).toEqual([]);
  });

  it('has no data on the host: its device is one sector that cannot be written', async () => {
    const volumeId = await kubelet.create('pvc', raw);
    const target = await kubelet.blockTarget();
    await kubelet.publish(volumeId, target, raw);
    const content = await readFile(target);
    expect(content).toHaveLength(512);
    expect(content.toString()).toContain(`Volume: ${volumeId}\n`);
    await expect(writeFile(target, 'x')).rejects.toMatchObject({ code: 'EPERM' });
    await kubelet.unpublish(volumeId, target);
  });

  it('is unpublished though its path has vanished, and for two pods one by one', async () => {
    const volumeId = await kubelet.create('pvc', raw);
    const [first, second] = [await kubelet.blockTarget('pod-1'), await kubelet.blockTarget('pod-2')];
    const of = (pod: string) => ({ volume_context: { 'csi.storage.k8s.io/pod.uid': pod } });
    await kubelet.publish(volumeId, first, raw, of('pod-1'));
    await kubelet.publish(volumeId, second, raw, of('pod-2'));
    expect(await kubelet.loops()).toHaveLength(2);
    await rm(first);
    await kubelet.unpublish(volumeId, first);
    expect(await kubelet.loops()).toHaveLength(1);
    expect((await stat(second)).isBlockDevice()).toBe(true);
    await kubelet.unpublish(volumeId, second);
    expect(await kubelet.loops()).toEqual([]);
  });

  it('is not published over what is there, and not unpublished from it', async () => {
    const volumeId = await kubelet.create('pvc', raw);
    const target = await kubelet.blockTarget();
    await writeFile(target, 'a file');
    await expect(kubelet.publish(volumeId, target, raw)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(await kubelet.attachments()).toEqual([]);
    expect(await kubelet.loops()).toEqual([]);
    await expect(kubelet.unpublish(volumeId, target)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(await readFile(target, 'utf8')).toBe('a file');
  });

  it('comes back with another number when its loop was detached behind our back', async () => {
    const volumeId = await kubelet.create('pvc', raw);
    const target = await kubelet.blockTarget();
    await kubelet.publish(volumeId, target, raw);
    const [line = ''] = await kubelet.loops();
    const [device = ''] = line.split(' ');
    await execa('losetup', ['--detach', device]);
    const stranger = join(node.scratch, 'stranger');
    await execa('truncate', ['--size', '1M', stranger]);
    await execa('losetup', [device, stranger]);
    try {
      await kubelet.publish(volumeId, target, raw);
      const now = toDeviceNumber((await stat(target)).rdev);
      expect(await kubelet.attachments()).toMatchObject([{ device: now }]);
      expect(`/dev/loop${now.minor}`).not.toBe(device);
      await kubelet.unpublish(volumeId, target);
    } finally {
      await execa('losetup', ['--detach', device]);
    }
    expect(await kubelet.loops()).toEqual([]);
  });
});
