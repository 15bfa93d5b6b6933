import type { NetworkDevice } from '../proto/network-attachment.ts';
import type { Link } from '../runtime/system/netlink/link.ts';
import { tapName } from './device-names.ts';
import { fieldFault } from './error-codes.ts';
import { NO_INDEX } from './reported-interface.ts';
import type { WiringConfig } from './wiring-config.ts';

/** Of an interface in the result of the plugins before, what a VMM can take in place of a TAP. */
export interface ReportedDevice {
  readonly socketPath?: string;
  readonly pciId?: string;
}

/**
 * What the VMM will open. A NIC of the host needs no TAP: the guest can have the device itself. Mode `macvtap` makes
 * one all the same, and so does who takes nothing but a TAP: nothing is `reported` then.
 */
export function planDevice(wiring: WiringConfig, link: Link, reported: ReportedDevice | undefined): NetworkDevice {
  const { mode, macvtapMode, queues } = wiring;
  if (reported?.socketPath !== undefined) return { kind: 'vhost-user', socketPath: reported.socketPath };
  const name = wiring.tapName ?? tapName(link.index);
  if (mode === 'macvtap' && link.index !== NO_INDEX) {
    refuseMacvlan(link);
    return { kind: 'macvtap', name, queues, mode: macvtapMode };
  }
  if (reported === undefined) return { kind: 'tap', name, queues };
  const isOnPci = link.kind === undefined && link.parent?.bus === 'pci';
  const pciId = reported.pciId ?? (isOnPci ? link.parent?.name : undefined);
  return pciId === undefined ? { kind: 'tap', name, queues } : { kind: 'physical', pciId };
}

/**
 * The kernel has no macvtap on a macvlan: it would put one beside it, on the interface of the node that lies beneath.
 */
function refuseMacvlan({ name, kind = '' }: Link): void {
  if (kind !== 'macvlan' && kind !== 'macvtap') return;
  throw fieldFault('mode', 'macvtap', `on ${name}, which is a ${kind}: use mode "tc"`);
}
