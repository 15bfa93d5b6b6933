import { bool, bytes, type MessageType, message, messages, optional, string, strings, uint } from './protobuf.ts';
import { method } from './ttrpc.ts';

/**
 * The control protocol of the guest: service `berth.agent.v1.Agent` over ttrpc on the virtio-serial port CONTROL_PORT.
 * agent.proto is the same contract in its usual notation; a test holds the two together. Words are those of Kata's
 * AgentService (storage, interface, route, neighbour); the calls are ours, so that a pod needs few of them.
 *
 * Every call may be repeated after a reconnect: verbs are keyed by container id, serial or MAC and answer the same.
 */
export const AGENT_SERVICE = 'berth.agent.v1.Agent';
export const CONTROL_PORT = 'berth.control';
export const STDIO_PORT = 'berth.stdio';

const empty = message({});

/** RTAX_* of linux/rtnetlink.h. */
const routeMetric = message({ type: uint(1), value: uint(2) });
const route = message({
  family: uint(1), // 4 or 6
  destination: string(2),
  gateway: string(3),
  source: string(4),
  scope: uint(5),
  type: uint(6),
  protocol: uint(7),
  table: uint(8),
  metric: uint(9),
  mtu: uint(10),
  onlink: bool(11),
  tos: uint(12),
  metrics: messages(13, routeMetric),
});
const address = message({
  address: string(1),
  peer: string(2),
  broadcast: string(3),
  scope: uint(4),
  deprecated: bool(5),
});
const neighbour = message({ address: string(1), mac: string(2) });
const networkInterface = message({
  name: string(1),
  mac: string(2), // finds the NIC; its name and place on the bus do not matter
  mtu: uint(3),
  addresses: messages(4, address),
  routes: messages(5, route),
  neighbours: messages(6, neighbour),
});
export type AgentInterface = MessageType<typeof networkInterface>;

const dns = message({ nameservers: strings(1), search: strings(2), options: strings(3) });

/** Whose the content is to be, in the words of a pod's fsGroup and fsGroupChangePolicy. */
const ownership = message({ gid: uint(1), policy: string(2) });
const storage = message({
  serial: string(1),
  fsType: string(2),
  mountPoint: string(3),
  options: strings(4),
  readOnly: bool(5),
  ownership: optional(6, ownership),
});
export type AgentStorage = MessageType<typeof storage>;

/** Of a mounted file system; `available` is what is left for others than root (f_bavail). */
const usage = message({
  capacityBytes: uint(1),
  availableBytes: uint(2),
  usedBytes: uint(3),
  inodes: uint(4),
  inodesFree: uint(5),
  /** The kernel made it read-only after an error, or it was mounted so. */
  isReadOnly: bool(6),
});
export type AgentUsage = MessageType<typeof usage>;

/**
 * A place of a container that shows a volume: `subPath`, relative, is resolved beneath the volume's root, without ever
 * leaving it, and may be a file; if it is missing, directories are made with the mode of the volume's root. The guest
 * binds it at guestBindPath(containerId, name), which the container's specification names as the source of a mount.
 */
const bind = message({ name: string(1), serial: string(2), subPath: string(3) });
export type AgentBind = MessageType<typeof bind>;
/** A disk as a device node in the container; the guest knows its number, and adds it to the specification. */
const device = message({ serial: string(1), path: string(2), readOnly: bool(3) });
export type AgentDevice = MessageType<typeof device>;

/**
 * Where a container's root comes from: a 9p share mounted read-only, with a writable layer in guest memory above it, also
 * for a root that `root.readonly` of the specification closes once its mount points are there.
 */
const rootfs = message({ shareTag: string(1) });

const setUpSandbox = message({ hostname: string(1), dns: optional(2, dns), interfaces: messages(3, networkInterface) });
const formatVolume = message({
  serial: string(1),
  fsType: string(2),
  /** The record says `formatting`: what is on the device is berth's own unfinished work. Else it must be blank. */
  resume: bool(3),
  /** Words for mkfs beyond berth's own. */
  mkfsOptions: strings(4),
});
const createContainer = message({
  containerId: string(1),
  /** config.json of the OCI runtime specification, as the planner rewrote it for the guest. */
  spec: bytes(2),
  rootfs: optional(3, rootfs),
  /** Number of the container's streams on the stdio channel. */
  stdioId: uint(4),
  binds: messages(5, bind),
  devices: messages(6, device),
});
const containerId = message({ containerId: string(1) });

export const agentMethods = {
  getGuestDetails: method(
    'GetGuestDetails',
    empty,
    message({ agentVersion: string(1), kernelVersion: string(2), memoryTotalBytes: uint(3) }),
  ),
  /** Host name, resolv.conf, interfaces with addresses, routes and neighbours. */
  setUpSandbox: method('SetUpSandbox', setUpSandbox, empty),
  /**
   * `precondition` when the device carries a signature. The host asks before it records `formatting`: that state then
   * proves that nothing foreign is on the device, and FormatVolume may resume after a crash.
   */
  checkBlank: method('CheckBlank', message({ serial: string(1) }), empty),
  /** mkfs. `precondition` when the device carries a signature and `resume` is not set: nothing was written then. */
  formatVolume: method('FormatVolume', formatVolume, message({ uuid: string(1) })),
  /**
   * Checks the file system (preen: what is safe to repair is repaired), mounts it, grows it if it is smaller than its
   * disk, and hands it to its group; read-only, it only mounts. Fault `precondition` if the check wants a person.
   */
  mountVolume: method('MountVolume', storage, usage),
  measureVolume: method('MeasureVolume', message({ serial: string(1) }), usage),
  /** Waits until the disk has the size, grows the file system if one is mounted, and answers what both have now. */
  growVolume: method(
    'GrowVolume',
    message({ serial: string(1), sizeBytes: uint(2) }),
    message({ deviceBytes: uint(1), capacityBytes: uint(2) }),
  ),
  /**
   * Writes out what is dirty, and then freezes the mounted file systems, all or none. The guest thaws them by itself when
   * the time is over; for the writing out it takes as much, and freezes nothing after that.
   */
  freezeVolumes: method('FreezeVolumes', message({ serials: strings(1), timeoutMs: uint(2) }), empty),
  /** `wasHeld`: they were frozen from the freeze until now. */
  thawVolumes: method('ThawVolumes', message({ serials: strings(1) }), message({ wasHeld: bool(1) })),
  /** Tells the disk which blocks are free (FITRIM). */
  trimVolume: method('TrimVolume', message({ serial: string(1) }), message({ trimmedBytes: uint(1) })),
  /** fsck of a volume that is not mounted: `repair` none, safe or full. `words` is what the tool said. */
  checkVolume: method(
    'CheckVolume',
    message({ serial: string(1), fsType: string(2), repair: string(3) }),
    message({ isClean: bool(1), words: string(2) }),
  ),
  createContainer: method('CreateContainer', createContainer, empty),
  startContainer: method('StartContainer', containerId, empty),
  /** Answers when the container's init has exited and the host has acknowledged all of its output. */
  waitContainer: method('WaitContainer', containerId, message({ exitCode: uint(1) })),
  signalContainer: method('SignalContainer', message({ containerId: string(1), signal: uint(2), all: bool(3) }), empty),
  /** Kills what still runs, removes crun's state and the container's mounts. */
  removeContainer: method('RemoveContainer', containerId, empty),
  /** sync, unmount every volume, answer, then power off. */
  shutdown: method('Shutdown', empty, empty),
};

export type AgentMethods = typeof agentMethods;
