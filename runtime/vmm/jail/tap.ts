import { attachTap } from '../../system/native/attach-tap.ts';
import { attempt } from '../../system/native/errors.ts';
import { O, sys } from '../../system/native/sys.ts';
import { openMacvtap } from './macvtap.ts';
import type { JailTap } from './request.ts';

/** Descriptors of a device in the network namespace of this process, one for each queue. */
export const openTap = (tap: JailTap): readonly number[] =>
  tap.kind === 'tap' ? Array.from({ length: tap.queues }, () => openQueue(tap)) : openMacvtap(tap);

/** The next queue of the TAP. */
function openQueue({ name, isMultiQueue }: JailTap): number {
  return attempt(`could not open the TAP ${name}`, () => {
    const fd = sys.open('/dev/net/tun', O.RDWR | O.NONBLOCK);
    attachTap(fd, name, isMultiQueue);
    return fd;
  });
}
