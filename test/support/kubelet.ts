import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { parsePodUid, parseSandboxId } from '../../proto/ids.ts';
import { type VolumeAttachment, volumeAttachmentRecord } from '../../proto/volume-attachment.ts';
import { volumeLeaseRecord } from '../../proto/volume-lease.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from './csi-node.ts';

export const GIB = 1024 ** 3;
export const POD = 'a1b2c3';
export const SANDBOX = 'sandbox-1';
export const mounted = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_MULTI_WRITER' } };
export const raw = { block: {}, access_mode: { mode: 'SINGLE_NODE_MULTI_WRITER' } };

/** A driver on a node of its own, and what a kubelet asks of it for a pod. */
export interface Kubelet {
  readonly node: CsiNode;
  readonly call: CsiProcess['client']['call'];
  /** Of 1 GiB; answers the id. */
  create(name: string, capability: object, parameters?: object): Promise<string>;
  /** `more` replaces fields of the request. */
  publish(volumeId: string, target: string, capability: object, more?: object): Promise<unknown>;
  unpublish(volumeId: string, target: string): Promise<unknown>;
  remove(volumeId: string): Promise<unknown>;
  /** Of the driver; `flags` as in CsiNode.start. */
  restart(flags?: Readonly<Record<string, string>>): Promise<void>;
  /** Of the node: mounts and everything in /run go, the pool stays. */
  reboot(): Promise<void>;
  /** A target path of Block mode as kubelet prepares it: its parent is there. */
  blockTarget(pod?: string): Promise<string>;
  attachments(pod?: string): Promise<VolumeAttachment[]>;
  /** A process that has the volume as a VM has it: by the lock of its lease. */
  holdLease(volumeId: string): Promise<{ release(): Promise<void> }>;
  /** Loop devices of the driver's placeholders; kubelet's second one is over another path. */
  loops(): Promise<string[]>;
  close(): Promise<void>;
}

export async function createKubelet(): Promise<Kubelet> {
  const node = await createCsiNode();
  let driver = await node.start();
  const call: Kubelet['call'] = (...words) => driver.client.call(...words);
  const loops = async (): Promise<string[]> => {
    const { stdout } = await execa('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
    return stdout.split('\n').filter((line) => line.includes(`${node.runDirectory}/csi/block/`));
  };
  return {
    node,
    call,
    async create(name, capability, parameters = {}) {
      const request = { name, capacity_range: { required_bytes: GIB }, volume_capabilities: [capability], parameters };
      return (await call('Controller', 'CreateVolume', request)).volume.volume_id;
    },
    publish: (volume_id, target_path, volume_capability, more = {}) =>
      call('Node', 'NodePublishVolume', {
        ...{ volume_id, target_path, volume_capability, staging_target_path: join(node.scratch, 'staging') },
        volume_context: { 'csi.storage.k8s.io/pod.uid': POD },
        ...more,
      }),
    unpublish: (volume_id, target_path) => call('Node', 'NodeUnpublishVolume', { volume_id, target_path }),
    remove: (volume_id) => call('Controller', 'DeleteVolume', { volume_id }),
    async restart(flags = {}) {
      await driver.stop();
      driver = await node.start(flags);
    },
    async reboot() {
      await driver.stop();
      for (const { mountPoint } of await node.mounts()) await node.run('umount', mountPoint);
      await rm(node.runDirectory, { recursive: true });
      driver = await node.start();
    },
    async blockTarget(pod = POD) {
      const path = join(node.scratch, 'kubelet/plugins/kubernetes.io/csi/volumeDevices/publish/pv', pod);
      await mkdir(dirname(path), { recursive: true });
      return path;
    },
    async attachments(pod = POD) {
      const directory = join(node.runDirectory, 'volumes', pod);
      const names = await readdir(directory).catch(() => []);
      return Promise.all(
        names.map(async (name) => volumeAttachmentRecord.decode(await readFile(join(directory, name), 'utf8'), name)),
      );
    },
    async holdLease(volumeId) {
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
    },
    loops,
    async close() {
      await driver.stop();
      // They outlive a server, and a test that failed: they are the kernel's.
      for (const line of await loops()) await execa('losetup', ['--detach', line.split(' ')[0] ?? '']);
      await node.close();
    },
  };
}
