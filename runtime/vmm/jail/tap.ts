import { attempt } from '../../system/native/errors.ts';
import { O, sys } from '../../system/native/sys.ts';
import { openMacvtap } from './macvtap.ts';
import type { JailTap } from './request.ts';

/** linux/if_tun.h */
const TUNSETIFF = 0x400454ca;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFREQ_BYTES = 40;
const FLAGS_AT = 16;

/** Descriptors of a device in the network namespace of this process, one for each queue. */
export const openTap = (tap: JailTap): readonly number[] =>
  tap.kind === 'tap' ? Array.from({ length: tap.queues }, () => openQueue(tap)) : openMacvtap(tap);

/** The next queue of the TAP. */
function openQueue({ name, isMultiQueue }: JailTap): number {
  return attempt(`could not open the TAP ${name}`, () => {
    const fd = sys.open('/dev/net/tun', O.RDWR | O.NONBLOCK);
    sys.ioctl(fd, TUNSETIFF, toRequest(name, isMultiQueue));
    return fd;
  });
}

/** struct ifreq: the name, ended by zero bytes, and the flags in host order. */
function toRequest(name: string, isMultiQueue: boolean): Uint8Array {
  const request = new Uint8Array(IFREQ_BYTES);
  request.set(sys.utf8Encode(name));
  const flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (isMultiQueue ? IFF_MULTI_QUEUE : 0);
  new DataView(request.buffer).setUint16(FLAGS_AT, flags, true);
  return request;
}
