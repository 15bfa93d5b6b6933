import { open, readdir, readFile } from 'node:fs/promises';
import { SNAPSHOT_FILES, type VolumeSnapshot, volumeSnapshotRecord } from '../../proto/volume-snapshot.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from './csi-node.ts';
import { type StandInVm, startStandInVm } from './stand-in-vm.ts';
import { mountXfsPool } from './xfs-pool.ts';

export const MIB = 1 << 20;
export const SIZE = 64 * MIB;
export const WRITER = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

type StandInArguments = Parameters<typeof startStandInVm> extends [CsiNode, ...infer Rest] ? Rest : never;

/** A node whose volumes, of SIZE bytes, are copied and looked into. The driver is started by the test. */
export class SnapshotNode {
  readonly node: CsiNode;
  private running: CsiProcess | undefined;
  private readonly vms: StandInVm[] = [];

  private constructor(node: CsiNode) {
    this.node = node;
  }

  static async create(): Promise<SnapshotNode> {
    return new SnapshotNode(await createCsiNode());
  }

  get driver(): CsiProcess {
    if (this.running === undefined) throw new Error('the test has not started the driver');
    return this.running;
  }

  async start(): Promise<void> {
    this.running = await this.node.start();
  }

  /** On a pool that takes snapshots in an instant. */
  async startOnXfs(): Promise<void> {
    await mountXfsPool(this.node);
    await this.start();
  }

  async create(name: string, source?: object): Promise<string> {
    const request = { name, capacity_range: { required_bytes: SIZE }, volume_capabilities: [WRITER] };
    const from = source === undefined ? {} : { volume_content_source: source };
    return (await this.driver.client.call('Controller', 'CreateVolume', { ...request, ...from })).volume.volume_id;
  }

  restore(name: string, snapshot_id: string): Promise<string> {
    return this.create(name, { snapshot: { snapshot_id } });
  }

  async snap(name: string, source_volume_id: string) {
    return (await this.driver.client.call('Controller', 'CreateSnapshot', { name, source_volume_id })).snapshot;
  }

  async takeGroup(name: string, ...source_volume_ids: readonly string[]) {
    const request = { name, source_volume_ids };
    return (await this.driver.client.call('GroupController', 'CreateVolumeGroupSnapshot', request)).group_snapshot;
  }

  async write(volumeId: string, text: string, offset = 0): Promise<void> {
    const image = await open(this.imageOf(volumeId), 'r+');
    await image.write(text, offset);
    await image.close();
  }

  async read(volumeId: string, length: number, offset = 0): Promise<string> {
    const image = await open(this.imageOf(volumeId));
    const { buffer } = await image.read({ buffer: Buffer.alloc(length), position: offset });
    await image.close();
    return buffer.toString();
  }

  async recordOf(snapshotId: string): Promise<VolumeSnapshot> {
    return volumeSnapshotRecord.decode(await readFile(this.recordPath(snapshotId), 'utf8'), snapshotId);
  }

  recordPath(snapshotId: string): string {
    return this.inPool('snapshots', snapshotId, SNAPSHOT_FILES.record);
  }

  /** It ends with the node, if the test does not end it. */
  async standIn(...args: StandInArguments): Promise<StandInVm> {
    const vm = await startStandInVm(this.node, ...args);
    this.vms.push(vm);
    return vm;
  }

  /** What is in the pool beside volumes that are whole, and in the journal of groups. */
  async snapshotsOnDisk(): Promise<string[]> {
    const places = ['snapshots', 'incoming', 'trash'].map((name) => this.inPool(name));
    const found = await Promise.all([...places, `${this.node.scratch}/state/groups`].map((place) => readdir(place)));
    return found.flat().sort();
  }

  async close(): Promise<void> {
    for (const vm of this.vms) await vm.end();
    await this.node.close();
  }

  private inPool(...path: readonly string[]): string {
    return [`${this.node.root}${this.node.pool}`, ...path].join('/');
  }

  private imageOf(volumeId: string): string {
    return this.inPool('volumes', volumeId, VOLUME_FILES.image);
  }
}
