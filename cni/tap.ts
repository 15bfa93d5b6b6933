import { Fault } from '../proto/fault.ts';
import { failpoint } from '../runtime/system/failpoint.ts';
import { attachTap } from '../runtime/system/native/attach-tap.ts';
import { attempt, isErrno } from '../runtime/system/native/errors.ts';
import { O, sys } from '../runtime/system/native/sys.ts';
import type { Netlink } from '../runtime/system/netlink/connection.ts';
import { changeLink, findLink, type Link } from '../runtime/system/netlink/link.ts';
import { lowerForIpv6, silenceLink, unaddressed } from './silence-link.ts';
import type { TapSpec } from './wire.ts';

const DEVICE = '/dev/net/tun';
/** linux/if_tun.h. */
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;

/**
 * Makes a persistent TAP in the process's network namespace, with the virtio-net header that carries offloads, and
 * down; `present` is the one that is there already, which has the same queues and owner. It is marked with its alias
 * before it is made to last: a TAP that outlives a crash always says whose it is.
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
    attempt(`could not make the TAP ${name}`, () => attachNew(fd, name, queues > 1));
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

/** What came to bear the name since the interfaces were listed is not ours. */
function attachNew(fd: number, name: string, isMultiQueue: boolean): void {
  try {
    attachTap(fd, { name, isMultiQueue, isNew: true });
  } catch (cause) {
    if (!isErrno(cause, 'EBUSY')) throw cause;
    throw new Fault('exists', `somebody has just made an interface ${name}; remove or rename it`, { cause });
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
