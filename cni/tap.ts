import { Fault } from '../proto/fault.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { attempt, isErrno } from '../runtime/system/native/errors.ts';
import { O, sys } from '../runtime/system/native/sys.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { changeLink, findLink, type Link } from '../runtime/system/netlink/link.ts';
import { lowerForIpv6, silenceLink, unaddressed } from './silence.ts';
import type { TapSpec } from './wire.ts';

const DEVICE = '/dev/net/tun';
/** linux/if_tun.h. */
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** struct ifreq: 16 bytes of name, then the flags. */
const IFREQ_BYTES = 40;
const IFREQ_FLAGS_OFFSET = 16;

/**
 * Makes a persistent TAP in the process's network namespace, with the virtio-net header that carries offloads, and down;
 * `present` is the one that is there already, which has the same queues and owner. It is marked with its alias before it
 * is made to last: a TAP that outlives a crash always says whose it is.
 */
export function ensureTap(netlink: Netlink, name: string, spec: TapSpec, present: Link | undefined): Link {
  if (present === undefined) return makeTap(netlink, name, spec);
  lowerForIpv6(netlink, present, spec.mtu);
  changeLink(netlink, present, { mtu: spec.mtu, ...unaddressed(spec.mtu) });
  silenceLink(present);
  return present;
}

function makeTap(netlink: Netlink, name: string, { alias, mtu, queues, owner }: TapSpec): Link {
  const fd = openDevice();
  try {
    const flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0);
    attempt(`could not make the TAP ${name}`, () => sys.ioctl(fd, TUNSETIFF, interfaceRequest(name, flags)));
    failpoint('tap.made');
    const tap = findLink(netlink, name);
    if (tap === undefined) throw new Fault('internal', `TAP ${name} is not there after it was made`);
    const { uid, gid } = owner ?? {};
    attempt(`could not give the TAP ${name} its owner`, () => {
      if (uid !== undefined) sys.ioctl(fd, TUNSETOWNER, uid);
      if (gid !== undefined) sys.ioctl(fd, TUNSETGROUP, gid);
    });
    changeLink(netlink, tap, { alias, mtu, ...unaddressed(mtu) });
    silenceLink(tap);
    attempt(`could not make the TAP ${name} persistent`, () => sys.ioctl(fd, TUNSETPERSIST, 1));
    failpoint('tap.persisted');
    return tap;
  } finally {
    sys.close(fd);
  }
}

function openDevice(): number {
  return attempt(`could not open ${DEVICE}`, () => {
    try {
      return sys.open(DEVICE, O.RDWR);
    } catch (cause) {
      if (!isErrno(cause, 'ENOENT', 'ENODEV', 'ENXIO')) throw cause;
      throw new Fault('environment', `there is no ${DEVICE}: load the kernel module tun (modprobe tun)`, { cause });
    }
  });
}

function interfaceRequest(name: string, flags: number): Uint8Array {
  const request = new Uint8Array(IFREQ_BYTES);
  request.set(sys.utf8Encode(name));
  new DataView(request.buffer).setUint16(IFREQ_FLAGS_OFFSET, flags, true);
  return request;
}
