import type { Accelerator, AcceleratorWish } from '../../proto/accelerator.ts';
import type { AgentBind, AgentDevice, AgentInterface, AgentStorage } from '../../proto/agent.ts';
import type { Fault } from '../../proto/fault.ts';
import type { GuestManifest } from '../../proto/guest-manifest.ts';
import type { ContainerId, PodUid, SandboxId } from '../../proto/ids.ts';
import type { NetworkAttachment, NicDns } from '../../proto/network-attachment.ts';
import type { PodPaths } from '../../proto/paths.ts';
import type { Sandbox } from '../../proto/sandbox-record.ts';
import type { VolumeAttachment } from '../../proto/volume-attachment.ts';
import type { VolumeFilesystem } from '../../proto/volume-filesystem.ts';
import type { VolumeSpec } from '../../proto/volume-spec.ts';
import type { VmmCapabilities, VmSpec } from '../vmm/port.ts';
import type { OciSpec } from './oci-spec.ts';

/** What is asked for: everything in it comes from outside and has been checked for shape, not for sense. */
export interface PlanRequest {
  readonly id: SandboxId;
  readonly podUid: PodUid;
  /** Network namespace of the pod; empty: the VM has no NIC. */
  readonly netnsPath: string;
  /** At least one, with ids of their own; the first is the pod's main container. */
  readonly containers: readonly ContainerRequest[];
  readonly memoryMib: number;
  readonly vcpus: number;
  readonly accelerator: AcceleratorWish;
}

export interface ContainerRequest {
  readonly id: ContainerId;
  readonly bundle: string;
  readonly spec: OciSpec;
  /** `--volume TARGET:/path`; under containerd the same pairs come from the mounts of the spec. */
  readonly volumes: readonly VolumeRequest[];
}

export interface VolumeRequest {
  readonly targetPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  /** Part of the volume that is shown; empty: all of it. */
  readonly subPath: string;
  /** To be a device node, of a volume that is published in Block mode. */
  readonly isDevice: boolean;
}

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** What the shim read before it asked: records and facts, so that planning itself touches nothing. */
export interface PlanFacts {
  readonly volumes: readonly VolumeFacts[];
  readonly networks: readonly NetworkAttachment[];
  /** What is mounted at each of `volumeTargets(request)`: the topmost mount exactly there, or undefined. */
  readonly mounts: ReadonlyMap<string, HostMount | undefined>;
  /** Block devices of the host that stand at `deviceTargets(request)`. */
  readonly devices: ReadonlyMap<string, DeviceNumber | undefined>;
  /** Of the same paths, those that another driver left a volume at, for Kata Containers. */
  readonly direct: ReadonlyMap<string, DirectVolume>;
  /** What stands at the root of each container's config.json, `rootPath(container)`. */
  readonly roots: ReadonlyMap<string, 'directory' | 'other' | 'absent'>;
  readonly guest: { readonly manifest: GuestManifest; readonly directory: string };
  readonly capabilities: VmmCapabilities;
  /** What the wish came to on this host. */
  readonly accelerator: AcceleratorChoice;
  readonly paths: PodPaths;
  /** Of the host, for guests whose own calibration fails under emulation; 0 if unknown. */
  readonly tscKhz: number;
  /** Areas that are traced, as BERTH_TRACE names them: the guest's agent traces them too. */
  readonly trace: string;
}

/** What mountinfo says of a mount. */
export interface HostMount {
  readonly fsType: string;
  readonly source: string;
  /** Path within the file system that is mounted; `//deleted` at its end when that is gone. */
  readonly root: string;
}

/** `source` of the choice in a plan. */
export const ACCELERATOR = 'accelerator';

export interface AcceleratorChoice {
  readonly chosen: Accelerator;
  readonly reason: string;
}

/**
 * A volume that another driver left for Kata Containers (mountInfo.json): a disk of the host with a file system, which is
 * attached and mounted, and never formatted. berth has neither a record nor a lease of it: who else may have the disk is
 * that driver's to see to, and the VMM's own image lock stands alone.
 */
export interface DirectVolume {
  readonly device: string;
  readonly deviceKind: 'block' | 'file' | 'directory' | 'absent';
  readonly fsType: string;
  readonly options: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A published volume, with what its directory in the pool says. */
export interface VolumeFacts {
  readonly attachment: VolumeAttachment;
  readonly spec: VolumeSpec;
  readonly filesystem: VolumeFilesystem;
}

export interface Plan {
  readonly vm: VmSpec;
  readonly guest: GuestPlan;
  readonly choices: Sandbox['choices'];
  /** What whoever asked should read. */
  readonly notices: readonly string[];
}

/** A place of a container that shows a volume. */
export interface VolumePlace {
  readonly containerId: ContainerId;
  readonly containerPath: string;
}

/** A disk of the pod: one, and mounted once in the guest, however many places of its containers show it. */
export interface VolumePlan {
  readonly facts: VolumeFacts;
  readonly diskId: string;
  readonly readOnly: boolean;
  /** Undefined: the containers have the disk as a device node. */
  readonly storage: AgentStorage | undefined;
  readonly places: readonly VolumePlace[];
}

/** What the agent is told, in this order: sandbox, volumes, containers. */
export interface GuestPlan {
  readonly hostname: string;
  readonly dns: NicDns;
  readonly interfaces: readonly AgentInterface[];
  readonly volumes: readonly VolumePlan[];
  /** Volumes of other drivers, which are mounted as they are. */
  readonly direct: readonly AgentStorage[];
  /** The main container first. */
  readonly containers: readonly ContainerPlan[];
}

export interface ContainerPlan {
  readonly id: ContainerId;
  readonly bundle: string;
  /** Number of its streams on the stdio channel. */
  readonly stdioId: number;
  readonly binds: readonly AgentBind[];
  readonly devices: readonly AgentDevice[];
  /** config.json for the guest's crun. */
  readonly spec: OciSpec;
  readonly rootfs: { readonly shareTag: string };
}

export type PlanResult =
  | { readonly kind: 'plan'; readonly plan: Plan }
  | { readonly kind: 'refusal'; readonly fault: Fault };
