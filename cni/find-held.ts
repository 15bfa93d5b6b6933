import { Fault } from '../proto/fault.ts';
import { deviceClaim } from '../proto/network-attachment.ts';
import { sys } from '../runtime/system/native/sys.ts';
import type { Link } from '../runtime/system/netlink/link.ts';

/** Of the network namespace that the process is in. */
const UNIX_SOCKETS = '/proc/net/unix';

/** Whether somebody has the TAP open: a VMM. The kernel gives one its carrier for as long. */
const isHeld = ({ kind, hasCarrier, tap }: Link): boolean =>
  kind === 'tun' && (hasCarrier || (tap?.openQueues ?? 0) > 0);

/** The first of the TAPs that a VMM has open. */
export const findHeld = (devices: readonly Link[]): Link | undefined => devices.find(isHeld);

/**
 * The first of the devices, of the namespace that the process is in, that a VMM has open; of macvtaps, a VMM of berth.
 */
export const findHeldHere = (devices: readonly Link[]): Link | undefined =>
  findHeld(devices) ?? devices.find(({ kind, name }) => kind === 'macvtap' && isClaimed(name));

const isClaimed = (name: string): boolean =>
  sys.utf8Decode(sys.readFile(UNIX_SOCKETS)).includes(` @${deviceClaim(name)}\n`);

export const inUseFault = ({ name }: Link): Fault =>
  new Fault('busy', `a VMM has ${name} open; end the pod's virtual machine first, then try again`);
