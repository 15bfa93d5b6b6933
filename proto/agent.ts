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
});
const address = message({ address: string(1), peer: string(2), broadcast: string(3), scope: uint(4) });
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

const storage = message({
  serial: string(1),
  fsType: string(2),
  mountPoint: string(3),
  options: strings(4),
  readOnly: bool(5),
});
export type AgentStorage = MessageType<typeof storage>;

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
});
const createContainer = message({
  containerId: string(1),
  /** config.json of the OCI runtime specification, as the planner rewrote it for the guest. */
  spec: bytes(2),
  rootfs: optional(3, rootfs),
  /** Number of the container's streams on the stdio channel. */
  stdioId: uint(4),
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
  mountVolume: method('MountVolume', storage, message({ capacityBytes: uint(1) })),
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
