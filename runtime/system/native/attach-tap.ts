import { sys } from './sys.ts';

/** linux/if_tun.h */
const TUNSETIFF = 0x400454ca;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;
/** struct ifreq: 16 bytes of name, ended by zero bytes, then the flags in host order. */
const IFREQ_BYTES = 40;
const FLAGS_AT = 16;

interface TapQueue {
  readonly name: string;
  readonly isMultiQueue: boolean;
  /** There is to be no interface of that name yet: EBUSY if there is. */
  readonly isNew?: boolean;
}

/**
 * Makes `fd`, which is /dev/net/tun, a queue of the TAP of that name in the network namespace of this process: frames
 * with the virtio-net header that carries offloads. A TAP that is not there is made, and lives as long as it is open.
 */
export function attachTap(fd: number, { name, isMultiQueue, isNew = false }: TapQueue): void {
  const request = new Uint8Array(IFREQ_BYTES);
  request.set(sys.utf8Encode(name));
  const kind = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (isMultiQueue ? IFF_MULTI_QUEUE : 0);
  new DataView(request.buffer).setUint16(FLAGS_AT, isNew ? kind | IFF_TUN_EXCL : kind, true);
  sys.ioctl(fd, TUNSETIFF, request);
}
