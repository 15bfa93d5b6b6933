import { once } from 'node:events';
import { mkdir, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePodUid, parseSandboxId } from '../../proto/ids.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { type VolumeAttachment, volumeAttachmentRecord } from '../../proto/volume-attachment.ts';
import { volumeLeaseRecord } from '../../proto/volume-lease.ts';
import { toDeviceNumber } from '../../runtime/system/device-number.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';

/** The calls that a kubelet makes, in its order, with what it does to the paths between them. */
const GIB = 1024 ** 3;
const POD = 'a1b2c3';
const SANDBOX = 'sandbox-1';
const mounted = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_MULTI_WRITER' } };
const raw = { block: {}, access_mode: { mode: 'SINGLE_NODE_MULTI_WRITER' } };

let node: CsiNode;
let driver: CsiProcess;
beforeEach(async () => {
  node = await createCsiNode();
  driver = await node.start();
});
afterEach(async () => {
  await driver?.stop();
  // They outlive a server, and a test that failed: they are the kernel's.
  for (const line of await loops()) await execa('losetup', ['--detach', line.split(' ')[0] ?? '']);
  await node?.close();
});

const call: CsiProcess['client']['call'] = (...words) => driver.client.call(...words);
const create = async (name: string, capability: object, parameters = {}): Promise<string> => {
  const request = { name, capacity_range: { required_bytes: GIB }, volume_capabilities: [capability], parameters };
  return (await call('Controller', 'CreateVolume', request)).volume.volume_id;
};
const publish = (volume_id: string, target_path: string, volume_capability: object, more: object = {}) =>
  call('Node', 'NodePublishVolume', {
    ...{ volume_id, target_path, volume_capability, staging_target_path: join(node.scratch, 'staging') },
    volume_context: { 'csi.storage.k8s.io/pod.uid': POD },
    ...more,
  });
const unpublish = (volume_id: string, target_path: string) =>
  call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
const remove = (volume_id: string) => call('Controller', 'DeleteVolume', { volume_id });

const restart = async (): Promise<void> => {
  await driver.stop();
  driver = await node.start();
};

async function blockTarget(pod = POD): Promise<string> {
  const path = join(node.scratch, 'kubelet/plugins/kubernetes.io/csi/volumeDevices/publish/pv', pod);
  await mkdir(dirname(path), { recursive: true });
  return path;
}

async function attachments(pod = POD): Promise<VolumeAttachment[]> {
  const directory = join(node.runDirectory, 'volumes', pod);
  const names = await readdir(directory).catch(() => []);
  return Promise.all(
    names.map(async (name) => volumeAttachmentRecord.decode(await readFile(join(directory, name), 'utf8'), name)),
  );
}

/** A process that has the volume as a VM has it: by the lock of its lease. */
async function holdLease(volumeId: string): Promise<{ release(): Promise<void> }> {
  const lease = join(node.pool, 'volumes', volumeId, 'lease');
  const words = { podUid: parsePodUid(POD), sandboxId: parseSandboxId(SANDBOX), node: '', takenAtMs: Date.now() };
  await writeFile(lease, volumeLeaseRecord.encode(words));
  const holder = execa('flock', [lease, 'sh', '-c', 'echo held; exec cat'], { stdin: 'pipe' });
  await once(holder.stdout, 'data');
  return {
    async release() {
      holder.stdin.end();
      await holder;
    },
  };
}

/** Placeholders' loops; kubelet's second one is over another path. */
const loops = async (): Promise<string[]> => {
  const { stdout } = await execa('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
  return stdout.split('\n').filter((line) => line.includes(`${node.runDirectory}/csi/block/`));
};

describe('a volume with a file system', () => {
  it('is published again for a running pod when kubelet starts, and nothing is mounted anew', async () => {
    const volumeId = await create('pvc', mounted);
    const target = await node.target(POD);
    await publish(volumeId, target, mounted);
    const [before, record] = [await node.mounts(), await attachments()];
    expect(await execa('mkdir', ['-p', `${node.root}${target}/deep/sub path`])).toMatchObject({ exitCode: 0 });
    await restart();
    await publish(volumeId, target, mounted);
    expect(await node.mounts()).toEqual(before);
    expect(await attachments()).toEqual(record);
    await unpublish(volumeId, target);
    expect(await node.mounts()).toEqual([]);
  });

  it('is told of the group that owns it, and of a readonly mode', async () => {
    const group = { ...mounted, mount: { fs_type: 'ext4', volume_mount_group: '4711' } };
    const volumeId = await create('pvc', mounted);
    const target = await node.target(POD);
    await publish(volumeId, target, group, { readonly: true });
    expect(await attachments()).toMatchObject([{ fsGroup: 4711, readOnly: true, volumeMode: 'Filesystem' }]);
    await expect(publish(volumeId, target, mounted, { readonly: true })).rejects.toMatchObject({
      code: status.ALREADY_EXISTS,
    });
    const mode = 'MULTI_NODE_READER_ONLY';
    const readers = { mount: { fs_type: 'ext4' }, access_mode: { mode } };
    const shared = await create('rox', readers);
    const other = await node.target('reader');
    await publish(shared, other, readers, { volume_context: { 'csi.storage.k8s.io/pod.uid': 'reader' } });
    expect(await attachments('reader')).toMatchObject([{ readOnly: true, accessMode: mode }]);
  });

  it('goes while the VM runs, and is not deleted until the VM has ended', async () => {
    const volumeId = await create('pvc', mounted);
    const target = await node.target(POD);
    await publish(volumeId, target, mounted);
    const vm = await holdLease(volumeId);
    await unpublish(volumeId, target);
    expect(await node.mounts()).toEqual([]);
    expect(await attachments()).toEqual([]);
    await expect(remove(volumeId)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    await vm.release();
    await remove(volumeId);
    expect(await node.remains()).toEqual([]);
  });

  it('is not deleted before it is unpublished, when a pod is deleted by force', async () => {
    const volumeId = await create('pvc', mounted);
    const target = await node.target(POD);
    await publish(volumeId, target, mounted);
    const vm = await holdLease(volumeId);
    await expect(remove(volumeId)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    await unpublish(volumeId, target);
    await expect(remove(volumeId)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    await vm.release();
    await remove(volumeId);
  });

  it('grows before there is a VM', async () => {
    const volume_id = await create('pvc', mounted);
    const target = await node.target(POD);
    const capacity_range = { required_bytes: 2 * GIB };
    const grown = await call('Controller', 'ControllerExpandVolume', { volume_id, capacity_range });
    expect(grown).toMatchObject({ capacity_bytes: String(2 * GIB), node_expansion_required: true });
    await publish(volume_id, target, mounted);
    const expand = { volume_id, volume_path: target, capacity_range, volume_capability: mounted };
    expect(await call('Node', 'NodeExpandVolume', expand)).toEqual({ capacity_bytes: String(2 * GIB) });
    expect((await stat(join(node.pool, 'volumes', volume_id, 'image.raw'))).size).toBe(2 * GIB);
    await expect(
      call('Node', 'NodeExpandVolume', { ...expand, capacity_range: { required_bytes: 3 * GIB } }),
    ).rejects.toMatchObject({ code: status.OUT_OF_RANGE });
  });

  it('grows later when its VM cannot be told now', async () => {
    const volume_id = await create('pvc', mounted);
    const target = await node.target(POD);
    await publish(volume_id, target, mounted);
    const vm = await holdLease(volume_id);
    await expect(
      call('Node', 'NodeExpandVolume', { volume_id, volume_path: target, volume_capability: mounted }),
    ).rejects.toMatchObject({ code: status.ABORTED });
    await vm.release();
    await call('Node', 'NodeExpandVolume', { volume_id, volume_path: target, volume_capability: mounted });
  });

  it('cannot be published at the target of another at the same time', async () => {
    const volumeIds = [await create('pvc-1', mounted), await create('pvc-2', mounted)];
    const target = await node.target(POD);
    const outcomes = await Promise.allSettled(volumeIds.map((volumeId) => publish(volumeId, target, mounted)));
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await node.mounts()).filter(({ mountPoint }) => mountPoint === target)).toHaveLength(1);
    expect(await attachments()).toHaveLength(1);
  });

  it('leaves nothing, or says what stays', async () => {
    const volumeId = await create('pvc', mounted);
    const target = await node.target(POD);
    await publish(volumeId, target, mounted);
    await node.run('mount', '-t', 'tmpfs', 'stranger', target);
    await expect(unpublish(volumeId, target)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: expect.stringContaining('tmpfs from stranger'),
    });
    await node.run('umount', target);
    await unpublish(volumeId, target);
    await mkdir(target);
    await writeFile(join(target, 'file'), '');
    await expect(unpublish(volumeId, target)).rejects.toMatchObject({ details: expect.stringContaining('/file') });
    await rm(join(target, 'file'));
    await mkdir(join(target, 'empty/directories'), { recursive: true });
    await unpublish(volumeId, target);
    await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('statistics', () => {
  const stats = (volume_id: string, volume_path: string) =>
    call('Node', 'NodeGetVolumeStats', { volume_id, volume_path });

  it('of a volume that no VM has had are those of an empty one', async () => {
    const volumeId = await create('pvc', mounted);
    const target = await node.target(POD);
    await publish(volumeId, target, mounted);
    expect(await stats(volumeId, target)).toEqual({
      usage: [{ unit: 'BYTES', total: String(GIB), available: String(GIB), used: '0' }],
      volume_condition: { abnormal: false, message: 'nothing is wrong with the volume' },
    });
  });

  it('are not found for another path, or an unknown volume', async () => {
    const volumeId = await create('pvc', mounted);
    const target = await node.target(POD);
    await expect(stats(volumeId, target)).rejects.toMatchObject({ code: status.NOT_FOUND });
    await publish(volumeId, target, mounted);
    for (const [id, path] of [
      [volumeId, 'some/path'],
      [volumeId, node.scratch],
      ['no-volume', target],
    ] as const) {
      await expect(stats(id, path)).rejects.toMatchObject({ code: status.NOT_FOUND });
    }
  });

  it('do not wait long for a VM that hangs, and say that it does', async () => {
    const volumeId = await create('pvc', mounted);
    const target = await node.target(POD);
    await publish(volumeId, target, mounted);
    const vm = await holdLease(volumeId);
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

describe('a block volume', () => {
  it('keeps its number over restarts, with the paths and the loop that kubelet makes of it', async () => {
    const volumeId = await create('pvc', raw);
    const target = await blockTarget();
    await publish(volumeId, target, raw);
    const { rdev } = await stat(target);
    expect(await attachments()).toMatchObject([{ volumeMode: 'Block', device: toDeviceNumber(rdev) }]);

    // kubelet: a bind mount at a path of its own, and a second loop over it.
    const own = join(node.scratch, 'kubelet/volumeDevices/pv/dev', POD);
    await mkdir(dirname(own), { recursive: true });
    await writeFile(own, '');
    expect(await node.run('mount', '--bind', target, own)).toMatchObject({ exitCode: 0 });
    const second = (await node.run('losetup', '--find', '--show', '--read-only', own)).stdout.trim();
    expect(second).toMatch(/^\/dev\/loop\d+$/);

    await restart();
    await publish(volumeId, target, raw);
    expect((await stat(target)).rdev).toBe(rdev);
    expect(await loops()).toHaveLength(1);
    const stats = await call('Node', 'NodeGetVolumeStats', { volume_id: volumeId, volume_path: own });
    expect(stats.usage).toMatchObject([{ unit: 'BYTES', total: String(GIB) }]);
    const other = { volume_id: volumeId, volume_path: '/dev/null' };
    await expect(call('Node', 'NodeGetVolumeStats', other)).rejects.toMatchObject({ code: status.NOT_FOUND });

    await node.run('losetup', '--detach', second);
    await node.run('umount', own);
    await unpublish(volumeId, target);
    await unpublish(volumeId, target);
    await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await loops()).toEqual([]);
    expect(await readdir(join(node.runDirectory, 'csi/block'))).toEqual([]);
    await remove(volumeId);
    expect(await node.remains()).toEqual([]);
  });

  it('has no data on the host: its device is one sector that cannot be written', async () => {
    const volumeId = await create('pvc', raw);
    const target = await blockTarget();
    await publish(volumeId, target, raw);
    const content = await readFile(target);
    expect(content).toHaveLength(512);
    expect(content.toString()).toContain(`Volume: ${volumeId}\n`);
    await expect(writeFile(target, 'x')).rejects.toMatchObject({ code: 'EPERM' });
    await unpublish(volumeId, target);
  });

  it('is unpublished though its path has vanished, and for two pods one by one', async () => {
    const volumeId = await create('pvc', raw);
    const [first, second] = [await blockTarget('pod-1'), await blockTarget('pod-2')];
    const of = (pod: string) => ({ volume_context: { 'csi.storage.k8s.io/pod.uid': pod } });
    await publish(volumeId, first, raw, of('pod-1'));
    await publish(volumeId, second, raw, of('pod-2'));
    expect(await loops()).toHaveLength(2);
    await rm(first);
    await unpublish(volumeId, first);
    expect(await loops()).toHaveLength(1);
    expect((await stat(second)).isBlockDevice()).toBe(true);
    await unpublish(volumeId, second);
    expect(await loops()).toEqual([]);
  });

  it('is not published over what is there, and not unpublished from it', async () => {
    const volumeId = await create('pvc', raw);
    const target = await blockTarget();
    await writeFile(target, 'a file');
    await expect(publish(volumeId, target, raw)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(await attachments()).toEqual([]);
    expect(await loops()).toEqual([]);
    await expect(unpublish(volumeId, target)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(await readFile(target, 'utf8')).toBe('a file');
  });

  it('comes back with another number when its loop was detached behind our back', async () => {
    const volumeId = await create('pvc', raw);
    const target = await blockTarget();
    await publish(volumeId, target, raw);
    const [line = ''] = await loops();
    const [device = ''] = line.split(' ');
    await execa('losetup', ['--detach', device]);
    const stranger = join(node.scratch, 'stranger');
    await execa('truncate', ['--size', '1M', stranger]);
    await execa('losetup', [device, stranger]);
    try {
      await publish(volumeId, target, raw);
      const now = toDeviceNumber((await stat(target)).rdev);
      expect(await attachments()).toMatchObject([{ device: now }]);
      expect(`/dev/loop${now.minor}`).not.toBe(device);
      await unpublish(volumeId, target);
    } finally {
      await execa('losetup', ['--detach', device]);
    }
    expect(await loops()).toEqual([]);
  });
});

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
    await publish(id, target, capability, context());
    await restart();
    await publish(id, target, capability, context());
    const [volumeId = ''] = await volumes();
    expect(await volumes()).toHaveLength(1);
    expect((await stat(join(node.pool, 'volumes', volumeId, 'image.raw'))).size).toBe(64 << 20);
    expect(await attachments()).toMatchObject([{ volumeId, targetPath: target }]);
    expect((await node.mounts()).map(({ source }) => source)).toEqual([`berth:${volumeId}`]);
    const stats = await call('Node', 'NodeGetVolumeStats', { volume_id: id, volume_path: target });
    expect(stats.usage).toMatchObject([{ total: String(64 << 20) }]);
    expect((await call('Controller', 'ListVolumes')).entries).toEqual([]);
    await unpublish(id, target);
    await unpublish(id, target);
    expect(await node.mounts()).toEqual([]);
    expect(await node.remains()).toEqual([]);
  });

  it('stays until the last of its targets is unpublished', async () => {
    const [target, other] = [await node.target(POD), await node.target('other')];
    await publish(id, target, capability, context());
    await publish(id, other, capability, context());
    await unpublish(id, other);
    expect(await volumes()).toHaveLength(1);
    await unpublish(id, target);
    expect(await node.remains()).toEqual([]);
  });

  it('stays while a VM has it, and is gone after the next start', async () => {
    const target = await node.target(POD);
    await publish(id, target, capability, context({ fsType: 'xfs', size: '300Mi', pool: 'main' }));
    const [volumeId = ''] = await volumes();
    const vm = await holdLease(volumeId);
    await unpublish(id, target);
    expect(await volumes()).toEqual([volumeId]);
    await restart();
    expect(await volumes()).toEqual([volumeId]);
    await vm.release();
    await restart();
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
    await expect(publish(id, target, capability, { ...rest, volume_context: given })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringMatching(details),
    });
    expect(await node.remains()).toEqual([]);
  });

  it('that cannot be published is not left behind', async () => {
    const target = join(node.scratch, 'no/such/directory');
    await expect(publish(id, target, capability, context())).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    expect(await node.remains()).toEqual([]);
  });
});

describe('a volume for stock Kata', () => {
  const kata = { consumer: 'kata' };
  const root = () => `${node.root}/run/kata-containers/shared/direct-volumes`;

  it('has the record that Kata reads, until it is unpublished', async () => {
    const volumeId = await create('pvc', mounted, kata);
    const image = join(await realpath(node.pool), 'volumes', volumeId, 'image.raw');
    expect((await execa('blkid', ['--probe', image])).stdout).toContain('TYPE="ext4"');
    const target = await node.target(POD);
    const capability = { ...mounted, mount: { fs_type: 'ext4', volume_mount_group: '1000', mount_flags: ['noatime'] } };
    await publish(volumeId, target, capability, { readonly: true });
    const directory = join(root(), Buffer.from(target).toString('base64').replaceAll('+', '-').replaceAll('/', '_'));
    const text = await readFile(join(directory, 'mountInfo.json'), 'utf8');
    expect(text).toBe(
      `{"volume-type":"directvol","device":"${image}","fstype":"ext4",` +
        `"metadata":{"fsGroup":"1000","fsGroupChangePolicy":"OnRootMismatch"},"options":["noatime","ro"]}`,
    );
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, 'mountInfo.json'))).mode & 0o777).toBe(0o600);
    await writeFile(join(directory, 'a-sandbox-id'), '');
    await publish(volumeId, target, capability, { readonly: true });
    await unpublish(volumeId, target);
    expect(await readdir(root())).toEqual([]);
  });

  it('is published once, and never as a block device', async () => {
    const volumeId = await create('pvc', mounted, kata);
    await publish(volumeId, await node.target('pod-1'), mounted);
    await expect(publish(volumeId, await node.target('pod-2'), mounted)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    const disk = await create('disk', raw, kata).catch(() => undefined);
    if (disk === undefined) return;
    await expect(publish(disk, await blockTarget(), raw)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    expect(await loops()).toEqual([]);
  });
});

it('says what the node is', async () => {
  await driver.stop();
  driver = await node.start({ 'max-volumes-per-node': '7' });
  expect(await call('Node', 'NodeGetInfo')).toEqual({
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
