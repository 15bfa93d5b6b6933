import { Fault } from '../../../proto/fault.ts';
import { type DeviceNumber, isSameDevice, toDeviceNumber } from '../../system/device-number.ts';
import { attempt } from '../../system/native/errors.ts';
import { MNT_DETACH, O, RESOLVE, S_IF, sys } from '../../system/native/sys.ts';
import { withOpen } from '../../system/native/with-open.ts';
import type { JailTap } from './request.ts';
import { STAGE } from './root.ts';

const NODE = `${STAGE}/macvtap`;
/** More than a number takes. */
const TEXT_BYTES = 64;

/**
 * Descriptors of a macvtap in the network namespace of this process, one for each queue. Its node in the host's /dev is
 * not looked at: that is named by the interface's index, which another namespace has too, and may be another pod's NIC.
 * The device's number comes from a sysfs of this namespace, the node is made here, and the number is compared once the
 * device is open: a number that was given up meanwhile may be another's by then. In a mount namespace of its own.
 */
export function openMacvtap(tap: JailTap): readonly number[] {
  const { name, ifIndex } = tap;
  return attempt(`could not open the macvtap ${name} (number ${ifIndex})`, () => {
    sys.mount('sysfs', STAGE, 'sysfs', 0, null);
    try {
      const path = `${STAGE}/class/net/${name}`;
      return withOpen(path, O.RDONLY | O.DIRECTORY, (device) => openQueues(device, tap));
    } finally {
      sys.umount(STAGE, MNT_DETACH);
    }
  });
}

/** `device` is the interface's directory in sysfs, which the file system for the node comes to lie above. */
function openQueues(device: number, { name, ifIndex, queues }: JailTap): readonly number[] {
  sys.mount('berth-macvtap', STAGE, 'tmpfs', 0, 'mode=0700,size=4k');
  try {
    const { major, minor } = readNumber(device, ifIndex);
    sys.mknod(NODE, S_IF.CHR | 0o600, major, minor);
    const fds = Array.from({ length: queues }, () => sys.open(NODE, O.RDWR | O.NONBLOCK));
    const number = readNumber(device, ifIndex);
    if (fds.every((fd) => isSameDevice(toDeviceNumber(sys.fstat(fd).rdev), number))) return fds;
    throw new Fault('busy', `the macvtap ${name} was replaced while it was opened; run CNI DEL and ADD again`);
  } finally {
    sys.umount(STAGE, MNT_DETACH);
  }
}

/** `241:3`, from the file `dev` of the character device, which is named by the interface's index. */
function readNumber(device: number, ifIndex: number): DeviceNumber {
  const [major = 0, minor = 0] = readBeneath(device, `tap${ifIndex}/dev`).split(':').map(Number);
  return { major, minor };
}

/** Without a way back: `..` would lead to what lies above. */
function readBeneath(directory: number, path: string): string {
  const fd = sys.openat2(directory, path, O.RDONLY, RESOLVE.BENEATH);
  try {
    const text = new Uint8Array(TEXT_BYTES);
    return sys.utf8Decode(text.subarray(0, sys.read(fd, text))).trim();
  } finally {
    sys.close(fd);
  }
}
