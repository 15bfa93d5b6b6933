import {
  parseCniContainerId,
  parseContainerId,
  parseDiskSerial,
  parseIfName,
  parseNetworkName,
  parsePodUid,
  parseSandboxId,
  parseVolumeId,
} from '../../proto/ids.ts';
import type { NetworkAttachment } from '../../proto/network-attachment.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { placeholderSource, type VolumeAttachment } from '../../proto/volume-attachment.ts';
import { DEFAULT_CLASS, NO_LIMITS } from '../../proto/volume-class.ts';
import type { VolumeFilesystem } from '../../proto/volume-filesystem.ts';
import type { OciSpec } from './oci-spec.ts';
import type { ContainerRequest, PlanFacts, PlanRequest, VolumeFacts } from './types.ts';

/** A pod with a root directory, one volume and one interface; tests change what they are about. */
const POD_UID = parsePodUid('pod-a');

export function spec(changes: Partial<OciSpec> = {}): OciSpec {
  return {
    ociVersion: '1.2.0',
    process: { args: ['/bin/true'] },
    root: { path: 'rootfs' },
    linux: { namespaces: [{ type: 'pid' }] },
    ...changes,
  };
}

type ContainerChanges = Partial<Omit<ContainerRequest, 'id'>>;

export function container(id: string, changes: ContainerChanges = {}): ContainerRequest {
  return { id: parseContainerId(id), bundle: `/bundles/${id}`, spec: spec(), volumes: [], ...changes };
}

/** `bundle`, `spec` and `volumes` are those of its only container, main. */
export function request(changes: Partial<PlanRequest> & ContainerChanges = {}): PlanRequest {
  const { bundle = '/bundles/a', spec: config = spec(), volumes = [], ...others } = changes;
  return {
    id: parseSandboxId('box'),
    podUid: POD_UID,
    netnsPath: '/run/netns/a',
    containers: [container('main', { bundle, spec: config, volumes })],
    memoryMib: 256,
    vcpus: 1,
    accelerator: 'tcg',
    ...others,
  };
}

export const target = (name: string): string => `/var/lib/kubelet/pods/a/volumes/kubernetes.io~csi/${name}/mount`;

export function volume(
  name: string,
  changes: { attachment?: Partial<VolumeAttachment>; state?: VolumeFilesystem['state']; serial?: string } = {},
): VolumeFacts {
  const volumeId = parseVolumeId(`fast.n1.${name}`);
  return {
    attachment: {
      volumeId,
      podUid: POD_UID,
      targetPath: target(name),
      volumeDirectory: `/pool/volumes/${volumeId}`,
      readOnly: false,
      accessMode: 'SINGLE_NODE_WRITER',
      mountFlags: [],
      publishedAtMs: 1,
      volumeMode: 'Filesystem',
      ...changes.attachment,
    },
    spec: {
      volumeId,
      name,
      capacityBytes: 1 << 30,
      fsType: 'ext4',
      accessModes: ['SINGLE_NODE_WRITER'],
      serial: parseDiskSerial(changes.serial ?? `s-${name}`),
      class: DEFAULT_CLASS,
      limits: NO_LIMITS,
      isEphemeral: false,
      createdAtMs: 0,
    },
    filesystem: { state: changes.state ?? 'formatted' },
  };
}

export function network(ifName: string, changes: Partial<NetworkAttachment> = {}): NetworkAttachment {
  return {
    state: 'ready',
    network: parseNetworkName('pods'),
    containerId: parseCniContainerId('box'),
    ifName: parseIfName(ifName),
    netnsPath: '/run/netns/a',
    netnsId: '4:123',
    bootId: 'boot',
    ifIndex: 2,
    device: { kind: 'tap', name: parseIfName(`tap-${ifName}`), ifIndex: 3, queues: 1 },
    ownsIngress: true,
    nic: {
      mac: `02:00:00:00:00:${ifName.length.toString().padStart(2, '0')}`,
      mtu: 1450,
      addresses: [{ address: '10.1.0.2/24', scope: 0 }],
      routes: [],
      neighbours: [],
      dns: { nameservers: [], search: [], options: [] },
    },
    ...changes,
  };
}

type RootKind = 'directory' | 'other' | 'absent';
const ROOTS = ['/bundles/a/rootfs', '/bundles/web/rootfs', '/bundles/log/rootfs', '/roots/b'];

/** `root` is what stands at the roots that tests use. */
export function facts({ root = 'directory', ...changes }: Partial<PlanFacts> & { root?: RootKind } = {}): PlanFacts {
  const volumes = changes.volumes ?? [];
  const placeholders = volumes.map(
    ({ attachment }) =>
      [attachment.targetPath, { fsType: 'tmpfs', source: placeholderSource(attachment.volumeId), root: '/' }] as const,
  );
  return {
    volumes,
    networks: [],
    direct: new Map(),
    devices: new Map(volumes.map(({ attachment }) => [attachment.targetPath, attachment.device])),
    mounts: new Map(placeholders),
    roots: new Map(ROOTS.map((path) => [path, root])),
    guest: {
      directory: '/guest',
      manifest: {
        kernelVersion: '6.12.1',
        kernel: { file: 'vmlinux-1', sha256: '1' },
        initrd: { file: 'initrd-2', sha256: '2' },
        root: { file: 'root-3.erofs', sha256: '3' },
        packages: [],
      },
    },
    capabilities: { version: 'QEMU 7.2.22', accelerators: ['tcg'], virtioBlk: true, nineP: true, ioUring: true },
    accelerator: { chosen: 'tcg', reason: 'asked for' },
    trace: '',
    paths: podPaths(runPaths('/run/berth'), 'box'),
    tscKhz: 2_400_000,
    ...changes,
  };
}
