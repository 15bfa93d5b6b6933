import { guestManifestRecord } from '../../../proto/guest-manifest.ts';
import { parseDiskSerial, parsePodUid, parseSandboxId, parseVolumeId } from '../../../proto/ids.ts';
import { type PodPaths, podPaths, type RunPaths, runPaths } from '../../../proto/paths.ts';
import type { RecordCodec } from '../../../proto/record.ts';
import { type Sandbox as SandboxRecord, sandboxRecord } from '../../../proto/sandbox-record.ts';
import type { CreateContainer, CreatePod } from '../../../proto/shim.ts';
import { placeholderSource, type VolumeAttachment, volumeAttachmentRecord } from '../../../proto/volume-attachment.ts';
import { DEFAULT_CLASS, NO_LIMITS } from '../../../proto/volume-class.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../../proto/volume-filesystem.ts';
import { type VolumeSpec, volumeSpecRecord } from '../../../proto/volume-spec.ts';
import { silentLog } from '../../system/log.ts';
import type { SandboxHost } from '../host.ts';
import { Sandbox } from '../sandbox.ts';
import { createStore } from '../store.ts';
import { FakeGuest } from './fake-guest.ts';
import { createFakeHost } from './fake-host.ts';
import { FakeVmm, VMM } from './fake-vmm.ts';

const VOLUME = parseVolumeId('pool.node.data');
const TARGET = '/pods/u/mount';
const VOLUME_DIRECTORY = '/pool/volumes/data';
const FILESYSTEM = `${VOLUME_DIRECTORY}/fs.json`;
const BUNDLE = '/bundle';
const GUEST = '/guest';

/**
 * A host, a VMM and a guest in memory, for the sequences of a sandbox and for failures that real ones cannot be made to
 * produce at will. Files are a map; the guest answers on in-memory streams; `journal` has what happened, in order.
 */
export class FakeWorld {
  readonly journal: string[] = [];
  readonly files = new Map<string, string>();
  /** Descriptors that are open, by what they are. */
  readonly open = new Map<number, string>();
  readonly run: RunPaths = runPaths('/run/berth');
  readonly paths: PodPaths = podPaths(this.run, 'pod');
  leaseHeldBy: string | undefined;
  onSleep: () => void = () => {};
  readonly guest = new FakeGuest({
    journal: this.journal,
    controlSocket: this.paths.controlSocket,
    onShutdown: () => this.vmm.kill({ code: 0, signal: 0 }),
  });
  readonly vmm = new FakeVmm({
    journal: this.journal,
    open: this.open,
    onBoot: () => this.files.set(this.paths.console, 'Linux\r\nlast words of the guest\r\n'),
    onEnd: () => this.guest.hangUp(),
  });
  readonly host: SandboxHost = createFakeHost({
    files: this.files,
    open: this.open,
    rootfs: `${BUNDLE}/rootfs`,
    readForeignLease: () => this.leaseHeldBy,
    onSleep: () => this.onSleep(),
    onRecord: () => this.journal.push(`recorded ${this.filesystem.state}`),
    connect: (path) => this.guest.connect(path),
  });

  constructor(filesystem: VolumeFilesystem = { state: 'never' }) {
    const put = <T>(path: string, codec: RecordCodec<T>, value: T) => this.files.set(path, codec.encode(value));
    this.publish({});
    this.specify({});
    this.filesystem = filesystem;
    const file = (name: string) => ({ file: name, sha256: 'x' });
    put(`${GUEST}/manifest.json`, guestManifestRecord, {
      kernelVersion: '6',
      kernel: file('kernel'),
      initrd: file('initrd'),
      root: file('root'),
      packages: [],
    });
    for (const name of ['kernel', 'initrd', 'root']) this.files.set(`${GUEST}/${name}`, '');
    const linux = { namespaces: [{ type: 'pid' }] };
    const spec = { ociVersion: '1.2.0', process: { args: ['sh'], cwd: '/' }, root: { path: 'rootfs' }, linux };
    this.files.set(`${BUNDLE}/config.json`, JSON.stringify(spec));
    const placeholder = `1 0 0:1 / ${TARGET} ro - tmpfs ${placeholderSource(VOLUME)} ro\n`;
    this.files.set('/proc/self/mountinfo', placeholder);
  }

  /** What csi recorded of the volume's publication. */
  publish(changes: Partial<VolumeAttachment>): void {
    const attachment: VolumeAttachment = {
      volumeId: VOLUME,
      podUid: parsePodUid('u'),
      targetPath: TARGET,
      volumeDirectory: VOLUME_DIRECTORY,
      readOnly: false,
      accessMode: 'SINGLE_NODE_WRITER',
      mountFlags: [],
      publishedAtMs: 1,
      volumeMode: 'Filesystem',
      ...changes,
    };
    this.files.set(`${this.run.volumes}/u/data.json`, volumeAttachmentRecord.encode(attachment));
  }

  /** What csi recorded of the volume itself. */
  specify(changes: Partial<VolumeSpec>): void {
    const spec: VolumeSpec = {
      volumeId: VOLUME,
      name: 'data',
      capacityBytes: 1 << 30,
      fsType: 'ext4',
      accessModes: ['SINGLE_NODE_WRITER'],
      serial: parseDiskSerial('data'),
      class: DEFAULT_CLASS,
      limits: NO_LIMITS,
      isEphemeral: false,
      createdAtMs: 0,
      ...changes,
    };
    this.files.set(`${VOLUME_DIRECTORY}/spec.json`, volumeSpecRecord.encode(spec));
  }

  get filesystem(): VolumeFilesystem {
    return volumeFilesystemRecord.decode(this.files.get(FILESYSTEM) ?? '', FILESYSTEM);
  }

  set filesystem(record: VolumeFilesystem) {
    this.files.set(FILESYSTEM, volumeFilesystemRecord.encode(record));
  }

  /** The pod's own, undefined if there is none. */
  get record(): SandboxRecord | undefined {
    const text = this.files.get(this.paths.record);
    return text === undefined ? undefined : sandboxRecord.decode(text, this.paths.record);
  }

  async sandbox(): Promise<Sandbox> {
    const initial = {
      id: parseSandboxId('pod'),
      podUid: parsePodUid('pod'),
      state: 'creating' as const,
      bundle: BUNDLE,
      createdAtMs: 1,
      shim: { pid: 1, startTicks: 1 },
      choices: [],
      volumes: [],
      interfaces: [],
      containers: [],
    };
    return this.toSandbox(initial);
  }

  private async toSandbox(record: SandboxRecord): Promise<Sandbox> {
    return new Sandbox({
      id: record.id,
      host: this.host,
      run: this.run,
      paths: this.paths,
      store: await createStore(this.host.system, this.paths.record, record),
      log: silentLog,
      createDriver: () => this.vmm,
      release: async () => {
        this.journal.push('release');
        for (const path of this.files.keys()) if (path.startsWith(this.paths.directory)) this.files.delete(path);
      },
    });
  }

  /** A new shim in place of one that was killed; the guest's connections to that one are gone. */
  async adoptingSandbox(): Promise<Sandbox> {
    this.guest.hangUp();
    this.open.clear();
    const { record } = this;
    if (record === undefined) throw new Error('there is no pod to adopt');
    const sandbox = await this.toSandbox(record);
    sandbox.adopt(await this.vmm.adopt({ process: VMM, controlSocket: this.paths.qmpSocket, log: this.paths.vmmLog }));
    return sandbox;
  }

  container(id: string, change: Partial<CreateContainer> = {}): CreateContainer {
    return {
      id,
      bundle: BUNDLE,
      volumes: [{ targetPath: TARGET, containerPath: '/data', readOnly: false, subPath: '', isDevice: false }],
      stdin: `/${id}/stdin`,
      stdout: `/${id}/stdout`,
      stderr: `/${id}/stderr`,
      ...change,
    };
  }

  /** With one container, unless `change` says otherwise. */
  request(change: Partial<CreatePod> = {}): CreatePod {
    return {
      containers: [this.container('main')],
      netnsPath: '',
      podUid: '',
      guestDirectory: GUEST,
      memoryMib: 256,
      vcpus: 1,
      accelerator: 'tcg',
      bootTimeoutMs: 5_000,
      qemu: '',
      directVolumesDirectory: '',
      ...change,
    };
  }
}
