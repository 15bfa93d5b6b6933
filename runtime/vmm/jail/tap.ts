import { Fault } from '../../../proto/fault.ts';
import { attachTap } from '../../system/native/attach-tap.ts';
import { attempt } from '../../system/native/errors.ts';
import { O, sys } from '../../system/native/sys.ts';
import { findLink } from '../../system/netlink/link.ts';
import { openNetlink } from '../../system/netlink/socket.ts';
import { openMacvtap } from './macvtap.ts';
import type { JailTap } from './request.ts';

/** Descriptors of a device in the network namespace of this process, one for each queue. */
export function openTap(tap: JailTap): readonly number[] {
  if (tap.kind === 'macvtap') return openMacvtap(tap);
  const fds = Array.from({ length: tap.queues }, () => openQueue(tap));
  refuseOther(tap);
  return fds;
}

/** The next queue of the TAP. */
function openQueue(tap: JailTap): number {
  return attempt(`could not open the TAP ${tap.name}`, () => {
    const fd = sys.open('/dev/net/tun', O.RDWR | O.NONBLOCK);
    attachTap(fd, tap);
    return fd;
  });
}

/** Of what has been opened. A TAP that was gone has been made anew by that, and would join the guest to nothing. */
function refuseOther({ name, ifIndex }: JailTap): void {
  const netlink = openNetlink();
  const found = findLink(netlink, name);
  netlink.close();
  if (found?.index === ifIndex) return;
  throw new Fault(
    'not-found',
    `the TAP ${name} that CNI ADD made (number ${ifIndex}) is gone; run CNI DEL and ADD again`,
  );
}
