import { Fault } from '../../proto/fault.ts';

/** By the bundler: true in the programs of crash tests, false in all others. Not there at all where nothing is bundled. */
declare const __BERTH_FAILPOINTS__: boolean | undefined;

type Program = 'csi' | 'csi-node' | 'csi-snapshots' | 'cni' | 'shim';

/**
 * Moments at which a program can be made to kill itself, and the programs whose crash tests reach them. A point stands
 * after a change and names what has been done; before the next one nothing changes, so that a kill there is the same.
 */
export const FAILPOINTS = {
  // The port `Files`, of which a record is made
  'directory.made': ['csi', 'cni', 'shim'],
  'directory.synced': ['csi', 'shim'],
  'directory.removed': ['csi'],
  'file.temporary': ['csi', 'cni', 'shim'],
  'file.renamed': ['csi', 'cni', 'shim'],
  'file.removed': ['csi', 'cni', 'shim'],
  // A volume in an image-file pool
  'volume.begun': ['csi'],
  'volume.file-written': ['csi'],
  'volume.placed': ['csi'],
  'volume.lease-taken': ['csi'],
  'volume.discarded': ['csi'],
  'volume.freed': ['csi'],
  // Volumes that are held still for a copy
  'volumes.still': ['csi-snapshots'],
  'volumes.copied': ['csi-snapshots'],
  'volumes.released': ['csi-snapshots'],
  // What stands at a target path on the host
  'target.made': ['csi'],
  'mount.made': ['csi'],
  'placeholder.filled': ['csi'],
  'mount.removed': ['csi'],
  'target.removed': ['csi'],
  // What only publications of other kinds reach: in Block mode, for stock Kata
  'loop.attached': ['csi-node'],
  'loop.detached': ['csi-node'],
  'kata.recorded': ['csi-node'],
  // A pod's VM, and what its guest has done
  'socket.bound': ['shim'],
  'lease.taken': ['shim'],
  'vmm.spawned': ['shim'],
  'guest.set-up': ['shim'],
  'volume.formatted': ['shim'],
  'filesystem.recorded': ['shim'],
  'volume.mounted': ['shim'],
  'leases.handed-over': ['shim'],
  'container.created': ['shim'],
  'container.started': ['shim'],
  'container.removed': ['shim'],
  'guest.shut-down': ['shim'],
  'vmm.gone': ['shim'],
  // The kernel's network
  'netlink.changed': ['cni'],
  'tap.made': ['cni'],
  'tap.persisted': ['cni'],
  'sysctl.written': ['cni'],
} as const satisfies Readonly<Record<string, readonly Program[]>>;
export type Failpoint = keyof typeof FAILPOINTS;

/** What Node and the static binary do each in its own way. */
export interface FailpointHost {
  environment(): Readonly<Record<string, string | undefined>>;
  /** SIGKILL to this process: does not return. */
  kill(): void;
  /** To standard error, before it returns. */
  write(line: string): void;
}

export const FAILPOINT_VARIABLE = 'BERTH_FAILPOINT';
/** Value of the variable that kills nothing and writes FAILPOINT_MARK and the name of each point that is passed. */
export const LIST_FAILPOINTS = '?';
export const FAILPOINT_MARK = 'failpoint ';

let pass: ((name: Failpoint) => void) | undefined;

/** Kills this process if the variable names this moment. In a release build the call vanishes with its argument. */
export function failpoint(name: Failpoint): void {
  if (typeof __BERTH_FAILPOINTS__ === 'undefined' || !__BERTH_FAILPOINTS__) return;
  pass?.(name);
}

/**
 * Once, at a program's start: BERTH_FAILPOINT=<name>[:<nth>] kills it when it passes that point for the nth time (1 if
 * not said). Throws `invalid` for a point that does not exist.
 */
export function armFailpoint(openHost: () => FailpointHost): void {
  if (typeof __BERTH_FAILPOINTS__ === 'undefined' || !__BERTH_FAILPOINTS__) return;
  const host = openHost();
  const wanted = host.environment()[FAILPOINT_VARIABLE];
  if (wanted === undefined || wanted === '') pass = undefined;
  else if (wanted === LIST_FAILPOINTS) pass = (name) => host.write(`${FAILPOINT_MARK}${name}\n`);
  else pass = killAt(wanted, host);
}

function killAt(wanted: string, host: FailpointHost): (name: Failpoint) => void {
  const [, name = '', nth = '1'] = /^([^:]*)(?::([1-9]\d*))?$/.exec(wanted) ?? [];
  if (!Object.hasOwn(FAILPOINTS, name)) {
    throw new Fault('invalid', `${FAILPOINT_VARIABLE} is ${wanted}, not <name>[:<nth>] of a failpoint`);
  }
  let left = Number(nth);
  return (passed) => {
    if (passed !== name) return;
    left -= 1;
    if (left > 0) return;
    host.write(`${FAILPOINT_MARK}${wanted} kills\n`);
    host.kill();
  };
}
