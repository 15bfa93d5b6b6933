import { Fault } from '../proto/fault.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { attempt, isErrno } from '../runtime/system/native/errors.ts';
import { O, sys } from '../runtime/system/native/sys.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { changeLink, findLink, type Link } from '../runtime/system/netlink/link.ts';

const DEVICE = '/dev/net/tun';
/** Of the network namespace that the process is in. */
const IPV6_SETTINGS = '/proc/sys/net/ipv6/conf';
/** linux/if_tun.h. */
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** struct ifreq: 16 bytes of name, then the flags. */
const IFREQ_BYTES = 40;
const IFREQ_FLAGS_OFFSET = 16;

/**
 * Makes a persistent TAP in the process's network namespace, with the virtio-net header that carries offloads, and down.
 * One that is there already is left as it is. It is marked with its alias before it is made to last: a TAP that
 * outlives a crash always says whose it is.
 */
export function ensureTap(netlink: Netlink, name: string, alias: string): Link {
  const present = findLink(netlink, name);
  if (present !== undefined) return present;
  const fd = openDevice();
  try {
    const request = interfaceRequest(name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
    attempt(`could not make the TAP ${name}`, () => sys.ioctl(fd, TUNSETIFF, request));
    failpoint('tap.made');
    const tap = findLink(netlink, name);
    if (tap === undefined) throw new Fault('internal', `TAP ${name} is not there after it was made`);
    changeLink(netlink, tap, { alias });
    attempt(`could not make the TAP ${name} persistent`, () => sys.ioctl(fd, TUNSETPERSIST, 1));
    failpoint('tap.persisted');
    return { ...tap, alias };
  } finally {
    sys.close(fd);
  }
}

/**
 * Keeps the host's own stack from speaking on the TAP: without this it would send router solicitations and multicast
 * reports into the guest. Before the interface is up.
 */
export function silenceTap(netlink: Netlink, tap: Link): void {
  // A host without IPv6 has nothing to silence.
  if (sys.stat(IPV6_SETTINGS) === null) return;
  changeLink(netlink, tap, { addressGeneration: 'none' });
  const path = `${IPV6_SETTINGS}/${tap.name}/disable_ipv6`;
  attempt(`could not write ${path}`, () => {
    const fd = sys.open(path, O.WRONLY);
    try {
      sys.write(fd, sys.utf8Encode('1'));
    } finally {
      sys.close(fd);
    }
  });
  failpoint('sysctl.written');
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
