import { bool, type MessageType, message, messages, string, strings, uint } from './protobuf.ts';
import { method } from './ttrpc.ts';

/**
 * berth's own service of a pod's shim: `berth.shim.v1.Shim` over ttrpc on `shim.sock`. The CLI drives a pod with it;
 * containerd's task and sandbox services will stand beside it on the same socket.
 */
export const SHIM_SERVICE = 'berth.shim.v1.Shim';

const empty = message({});

/**
 * A volume published at `targetPath` on the host, to be mounted at `containerPath`, or, if `isDevice`, to be a device
 * node there, which a volume must be that is published in Block mode, and no other. `subPath`, relative, is the part of
 * the volume that is shown.
 */
const volume = message({
  targetPath: string(1),
  containerPath: string(2),
  readOnly: bool(3),
  subPath: string(4),
  isDevice: bool(5),
});

const volumeId = message({ volumeId: string(1) });
const volumeIds = strings(1);

/**
 * A container of the pod. All of them are declared when the pod is created: each has a 9p share of its own for its root,
 * and QEMU can add a disk to a VM that runs, but no share.
 */
const container = message({
  /** Unique in the pod. */
  id: string(1),
  /** OCI bundle: a directory with config.json and a root file system. */
  bundle: string(2),
  volumes: messages(3, volume),
  /** FIFOs as containerd makes them; empty: discarded. */
  stdin: string(4),
  stdout: string(5),
  stderr: string(6),
});
export type CreateContainer = MessageType<typeof container>;

const create = message({
  /** At least one. The first is the pod's main container, which an empty id means in Start, Wait and Kill. */
  containers: messages(15, container),
  /** Network namespace of the pod; empty: the VM has no NIC. */
  netnsPath: string(2),
  /** Empty: taken from the volumes' attachments, else the sandbox id. */
  podUid: string(3),
  /** Directory of the guest manifest. */
  guestDirectory: string(5),
  memoryMib: uint(6),
  vcpus: uint(7),
  /** auto, tcg, kvm (accelerator.ts); empty: auto. */
  accelerator: string(11),
  /** How long the guest may take from spawn to hello. */
  bootTimeoutMs: uint(12),
  /** QEMU binary; empty: the first of the PATH. */
  qemu: string(13),
  /** Where other drivers leave Kata's mountInfo.json for volumes of theirs; empty: Kata's own place. */
  directVolumesDirectory: string(14),
});
export type CreatePod = MessageType<typeof create>;

const maintain = message({
  /** The volume's directory in its pool. */
  volumeDirectory: string(1),
  /** `check`: fsck, with `repair` none, safe, full or zero-log. `trim`: free blocks are given back to the pool. */
  task: string(2),
  repair: string(3),
  /** The others as in Create. */
  guestDirectory: string(4),
  memoryMib: uint(5),
  accelerator: string(6),
  bootTimeoutMs: uint(7),
  qemu: string(8),
  /**
   * The disk's ctime, as `stat --format=%.9Z` has it: `precondition` if it was changed since, for the copy that was made
   * then is no copy of it any more. Empty: whatever it is.
   */
  unchangedSince: string(9),
});
export type MaintainVolume = MessageType<typeof maintain>;
/** What the task has to say: `isClean` and `words` of the check, or what was trimmed. */
const maintained = message({ isClean: bool(1), words: string(2), trimmedBytes: uint(3), notices: strings(4) });
export type MaintainedVolume = MessageType<typeof maintained>;

const containerId = string(1);

const phase = message({ name: string(1), milliseconds: uint(2) });

export const shimMethods = {
  /**
   * Plans, leases, boots, formats if need be, mounts, creates the containers. On failure everything is undone.
   * `notices` are sentences that whoever asked should read: what works, but not as well as it could.
   */
  create: method('Create', create, message({ phases: messages(1, phase), reasons: strings(2), notices: strings(3) })),
  /** In place of Create: works on a volume that no VM has, in a VM of its own. Nothing of it is left when it answers. */
  maintain: method('Maintain', maintain, maintained),
  start: method('Start', message({ containerId }), empty),
  /** Answers when the container has ended and its output is handed on. */
  wait: method('Wait', message({ containerId }), message({ exitCode: uint(1) })),
  /**
   * To a shim that took the place of a killed one and adopted its VM: couples the containers' streams again. They are
   * exact, because the caller counts: it says how much of each output it has had (nothing, of a container that it does not
   * name), and is told how much of each input the guest has had, the end counting as one byte; what it wrote beyond, it
   * writes again. `precondition` if there is no VM to resume.
   */
  resume: method(
    'Resume',
    message({ containers: messages(3, message({ containerId, stdoutBytes: uint(2), stderrBytes: uint(3) })) }),
    message({ containers: messages(2, message({ containerId, stdinBytes: uint(2) })) }),
  ),
  kill: method('Kill', message({ signal: uint(1), all: bool(2), containerId: string(3) }), empty),
  /**
   * Orderly end: the main container, then the others, sync, unmount, power off; then the shim exits. Kills what does not end
   * in time.
   */
  stop: method('Stop', message({ timeoutMs: uint(1) }), empty),

  // Volumes of the pod, for csi and the CLI. `not-found` if the pod's VM does not have the volume.
  /** The guest's truth; the sizes of the file system are 0 for a raw disk. `problem` is empty, or says what is wrong. */
  measureVolume: method(
    'MeasureVolume',
    volumeId,
    message({
      deviceBytes: uint(1),
      capacityBytes: uint(2),
      availableBytes: uint(3),
      usedBytes: uint(4),
      inodes: uint(5),
      inodesFree: uint(6),
      problem: string(7),
    }),
  ),
  /** The image has the size already: tells the VMM, waits for the guest, grows the file system, measures. Never shrinks. */
  growVolume: method(
    'GrowVolume',
    message({ volumeId: string(1), sizeBytes: uint(2) }),
    message({ deviceBytes: uint(1), capacityBytes: uint(2) }),
  ),
  /** As in agent.ts, for those of the volumes whose file system is mounted writable; a raw disk has nothing to freeze. */
  freezeVolumes: method('FreezeVolumes', message({ volumeIds, timeoutMs: uint(2) }), empty),
  thawVolumes: method('ThawVolumes', message({ volumeIds }), message({ wasHeld: bool(1) })),
  /** 0: no limit. Not recorded here: spec.json is the truth, and the next VM begins with it. */
  throttleVolume: method(
    'ThrottleVolume',
    message({ volumeId: string(1), iops: uint(2), bandwidthBytes: uint(3) }),
    empty,
  ),
  trimVolume: method('TrimVolume', volumeId, message({ trimmedBytes: uint(1) })),
};

export type ShimMethods = typeof shimMethods;
