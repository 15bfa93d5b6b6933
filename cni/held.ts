import { Fault } from '../proto/fault.ts';
import type { Link } from '../runtime/system/netlink/link.ts';

/** Whether somebody has the TAP open: a VMM. The kernel gives one its carrier for as long. */
const isHeld = ({ kind, hasCarrier, tap }: Link): boolean =>
  kind === 'tun' && (hasCarrier || (tap?.openQueues ?? 0) > 0);

/** The first of the devices that a VMM has open. */
export const findHeld = (devices: readonly Link[]): Link | undefined => devices.find(isHeld);

export const inUseFault = ({ name }: Link): Fault =>
  new Fault('busy', `a VMM has ${name} open; end the pod's virtual machine first, then try again`);
