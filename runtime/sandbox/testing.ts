import { AGENT_SERVICE, type AgentMethods, agentMethods } from '../../proto/agent.ts';
import { guestManifestRecord } from '../../proto/guest-manifest.ts';
import { HelloScanner, helloLine } from '../../proto/hello.ts';
import { parseDiskSerial, parsePodUid, parseSandboxId, parseVolumeId } from '../../proto/ids.ts';
import { type PodPaths, podPaths, type RunPaths, runPaths } from '../../proto/paths.ts';
import type { RecordCodec } from '../../proto/record.ts';
import { type Sandbox as SandboxRecord, sandboxRecord } from '../../proto/sandbox-record.ts';
import type { CreateContainer, CreatePod } from '../../proto/shim.ts';
import { STDERR, STDOUT } from '../../proto/stdio-frame.ts';
import { placeholderSource, type VolumeAttachment, volumeAttachmentRecord } from '../../proto/volume-attachment.ts';
import { DEFAULT_CLASS, NO_LIMITS } from '../../proto/volume-class.ts';
import { type VolumeFilesystem, volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { type VolumeSpec, volumeSpecRecord } from '../../proto/volume-spec.ts';
import { prefixedStream } from '../system/channel/prefixed-stream.ts';
import { StdioMux } from '../system/channel/stdio-mux.ts';
import { silentLog } from '../system/log.ts';
import type { ByteStream, System } from '../system/port.ts';
import { memoryStreams } from '../system/rpc/memory-stream.ts';
import { defineService, type Handlers, serve } from '../system/rpc/ttrpc-server.ts';
import type { DiskError, DiskStatus, StartOptions, Vm, VmExit, VmmDriver, VmSpec } from '../vmm/port.ts';
import type { HeldLease, SandboxHost } from './host.ts';
import { Sandbox } from './sandbox.ts';
import { createStore } from './store.ts';

/**
 * A host, a VMM and a guest in memory, for the sequences of a sandbox and for failures that real ones cannot be made to
 * produce at will. Files are a map; the guest answers on in-memory streams; `journal` has what happened, in order.
 */
const VOLUME = parseVolumeId('pool.node.data');
const TARGET = '/pods/u/mount';
const VOLUME_DIRECTORY = '/pool/volumes/data';
const FILESYSTEM = `${VOLUME_DIRECTORY}/fs.json`;
const LEASE = `${VOLUME_DIRECTORY}/lease`;
const BUNDLE = '/bundle';
const GUEST = '/guest';

const VMM = { pid: 7, startTicks: 7 };
/** Of what the guest formats. */
export const UUID = '0f5c1a52-9d3b-4a41-8f0e-5a1d6c7b8e90';
/** Whatever is a device node here. */
export const DEVICE = { major: 7, minor: 3 };

type AgentHandlers = Handlers<AgentMethods>;
interface AgentRequest {
  readonly containerId?: string;
}
interface FakeContainer {
  readonly exited: Promise<{ exitCode: number }>;
  end(exitCode: number): void;
}

export class FakeWorld {
  readonly journal: string[] = [];
  readonly files = new Map<string, string>();
  /** Descriptors that are open, by what they are. */
  readonly open = new Map<number, string>();
  readonly run: RunPaths = runPaths('/run/berth');
  readonly paths: PodPaths = podPaths(this.run, 'pod');
  /** Overrides of what the guest answers. */
  agent: Partial<AgentHandlers> = {};
  guestSaysHello = true;
  leaseHeldBy: string | undefined;
  onSleep: () => void = () => {};
  /** What the VMM says of its disks, and how it says that one fails. */
  disks: readonly DiskStatus[] = [];
  reportDiskError: (error: DiskError) => void = () => {};
  onResume: () => Promise<void> = async () => {};
  /** The guest's end of the stdio channel, and its containers' numbers on it. */
  private readonly stdio = new StdioMux();
  private readonly stdioIds = new Map<string, number>();
  private nextFd = 100;
  private endVm: (exit: VmExit) => void = () => {};
  private guestStreams: ByteStream[] = [];

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
      createDriver: () => this.driver,
      release: async () => {
        this.journal.push('release');
        for (const path of this.files.keys()) if (path.startsWith(this.paths.directory)) this.files.delete(path);
      },
    });
  }

  /** A new shim in place of one that was killed; the guest's connections to that one are gone. */
  async adoptingSandbox(): Promise<Sandbox> {
    for (const stream of this.guestStreams.splice(0)) stream.close();
    this.open.clear();
    const { record } = this;
    if (record === undefined) throw new Error('there is no pod to adopt');
    const sandbox = await this.toSandbox(record);
    sandbox.adopt(
      await this.driver.adopt({ process: VMM, controlSocket: this.paths.qmpSocket, log: this.paths.vmmLog }),
    );
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

  /** The VMM dies, as by kill -9 or of itself. */
  killVm(exit: Partial<VmExit> = {}): void {
    for (const stream of this.guestStreams) stream.close();
    this.endVm({ code: -1, signal: 9, lastWords: '', ...exit });
  }

  private bytesOf(path: string): Uint8Array | undefined {
    const text = this.files.get(path);
    return text === undefined ? undefined : new TextEncoder().encode(text);
  }

  private openFd(what: string): HeldLease {
    const fd = this.nextFd++;
    this.open.set(fd, what);
    return { fd, close: () => void this.open.delete(fd) };
  }

  readonly host: SandboxHost = {
    system: {
      readFile: async (path: string) => this.bytesOf(path),
      readTail: async (path: string, maxBytes: number) => this.bytesOf(path)?.slice(-maxBytes),
      writeFile: async (path: string, data: Uint8Array) => void this.files.set(path, new TextDecoder().decode(data)),
      list: async (directory: string) => [
        ...new Set(
          [...this.files.keys()]
            .filter((path) => path.startsWith(`${directory}/`))
            .map((path) => path.slice(directory.length + 1).split('/')[0] ?? ''),
        ),
      ],
      connect: (path: string) => this.connect(path),
      now: () => Date.now(),
      sleep: (ms: number) => {
        this.onSleep();
        return new Promise<void>((resolve) => {
          setTimeout(() => resolve(), ms);
        });
      },
      randomBytes: (length: number) => new Uint8Array(length).fill(7),
    } as unknown as System,
    forgetHead: () => {},
    describePath: (path) => (this.files.has(path) ? 'other' : path === `${BUNDLE}/rootfs` ? 'directory' : 'absent'),
    locate: (path) => ({ canonicalPath: path, device: DEVICE }),
    readLinkAliases: () => new Map(),
    openNetns: () => ({ ...this.openFd('netns'), id: '4:5' }),
    takeLease: (path, ownerText, mode) => {
      if (this.leaseHeldBy !== undefined) return { heldBy: this.leaseHeldBy };
      this.files.set(path, ownerText);
      return this.openFd(`${mode === 'shared' ? 'shared ' : ''}lease ${path}`);
    },
    tryLock: (path) => this.openFd(`lock ${path}`),
    openFifo: (path) => {
      const { close } = this.openFd(path);
      const [near] = memoryStreams();
      return {
        ...near,
        close: () => {
          close();
          near.close();
        },
      };
    },
    writeDurable: async (path, content, _mode, lease) => {
      if (this.open.get(lease.fd) !== `lease ${LEASE}`) throw new Error('a record was written without the lease');
      this.files.set(path, new TextDecoder().decode(content));
      this.journal.push(`recorded ${this.filesystem.state}`);
    },
  };

  private readonly driver: VmmDriver = {
    probe: async () => ({ version: 'fake', accelerators: ['tcg'], virtioBlk: true, nineP: true, ioUring: true }),
    start: async (_spec: VmSpec, { held, onProcess }: StartOptions): Promise<Vm> => {
      await onProcess(VMM);
      this.journal.push(`VM holding ${held.map((fd) => this.open.get(fd)).join()}`);
      this.files.set(this.paths.console, 'Linux\r\nlast words of the guest\r\n');
      return this.vm();
    },
    adopt: async ({ process }) => {
      this.journal.push(`VM ${process.pid} adopted`);
      return this.vm();
    },
  };

  private vm(): Vm {
    const exited = new Promise<VmExit>((resolve) => {
      this.endVm = resolve;
    });
    const kill = async () => {
      this.journal.push('VM killed');
      this.killVm();
    };
    void exited.then(() => this.open.delete(0));
    this.open.set(0, 'VM');
    return {
      process: VMM,
      exited,
      kill,
      disks: async () => this.disks,
      resizeDisk: async (id, sizeBytes) => void this.journal.push(`${id} resized to ${sizeBytes}`),
      throttleDisk: async (id, { iops, bandwidthBytes }) =>
        void this.journal.push(`${id} throttled to ${iops}/s, ${bandwidthBytes} B/s`),
      resume: async () => {
        this.journal.push('VM resumed');
        await this.onResume();
      },
      onDiskError: (listener) => {
        this.reportDiskError = listener;
      },
    };
  }

  private async connect(path: string): Promise<ByteStream> {
    const [near, far] = memoryStreams();
    this.guestStreams.push(far);
    if (this.guestSaysHello) void this.greet(far, path);
    return near;
  }

  private async greet(stream: ByteStream, path: string): Promise<void> {
    const scanner = new HelloScanner();
    for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) {
      const found = scanner.push(chunk);
      if (found === undefined) continue;
      await stream.write(helloLine(found.nonce));
      const conversation = prefixedStream(found.rest, stream);
      if (path !== this.paths.controlSocket) return this.stdio.attach(conversation);
      serve(conversation, defineService(AGENT_SERVICE, agentMethods, this.handlers()), silentLog);
      return;
    }
  }

  private handlers(): AgentHandlers {
    const containers = new Map<string, FakeContainer>();
    const find = (containerId: string): FakeContainer => {
      const container = containers.get(containerId) ?? this.fakeContainer(containerId);
      containers.set(containerId, container);
      return container;
    };
    const guest: AgentHandlers = {
      getGuestDetails: async () => ({}),
      setUpSandbox: async () => ({}),
      checkBlank: async () => ({}),
      formatVolume: async () => ({ uuid: UUID }),
      mountVolume: async () => ({}),
      measureVolume: async () => ({}),
      growVolume: async () => ({}),
      freezeVolumes: async () => ({}),
      thawVolumes: async () => ({}),
      trimVolume: async () => ({}),
      checkVolume: async () => ({}),
      createContainer: async ({ containerId, stdioId }) => {
        this.stdioIds.set(containerId, stdioId);
        return {};
      },
      startContainer: async () => ({}),
      waitContainer: ({ containerId }) => find(containerId).exited,
      signalContainer: async ({ containerId, signal }) => {
        find(containerId).end(128 + signal);
        return {};
      },
      removeContainer: async ({ containerId }) => {
        find(containerId).end(137);
        return {};
      },
      shutdown: async () => {
        setTimeout(() => this.killVm({ code: 0, signal: 0 }));
        return {};
      },
      ...this.agent,
    };
    const names = Object.keys(guest) as (keyof AgentHandlers)[];
    const logged = names.map((name) => {
      const handler = guest[name] as (request: AgentRequest) => Promise<object>;
      return [name, (request: AgentRequest) => this.answer(name, request, handler)];
    });
    return Object.fromEntries(logged) as unknown as AgentHandlers;
  }

  /** A call of another container than main has its id in the journal. */
  private answer(name: string, request: AgentRequest, handler: (request: AgentRequest) => Promise<object>) {
    const { containerId = 'main' } = request;
    this.journal.push(containerId === 'main' ? name : `${name} ${containerId}`);
    return handler(request);
  }

  private fakeContainer(id: string): FakeContainer {
    let announce = (_reply: { exitCode: number }): void => {};
    const exited = new Promise<{ exitCode: number }>((resolve) => {
      announce = resolve;
    });
    const end = (exitCode: number): void => {
      const stdioId = this.stdioIds.get(id) ?? 0;
      for (const stream of [STDOUT, STDERR] as const) this.stdio.sender(stdioId, stream).end();
      announce({ exitCode });
    };
    return { exited, end };
  }
}
