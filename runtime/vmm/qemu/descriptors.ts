import { attempt } from '../../system/native/errors.ts';
import { O, sys } from '../../system/native/sys.ts';
import { openListeningSocket } from '../../system/native/unix-socket.ts';
import type { Disk, Nic, VmSpec } from '../port.ts';

/** Standard input, output and error come before what QEMU's command line names. */
const FIRST = 3;

/** What QEMU inherits, and by which number. */
export interface Descriptors {
  /** Sockets that listen. */
  readonly control: number;
  readonly ports: readonly { readonly port: VmSpec['ports'][number]; readonly fd: number }[];
  readonly console: number;
  readonly disks: readonly { readonly disk: Disk; readonly fd: number }[];
  /** Behind those that nobody names, the leases. */
  readonly taps: readonly { readonly nic: Nic; readonly fds: readonly number[] }[];
}

export function planDescriptors({ ports, disks, nics }: VmSpec, heldCount: number): Descriptors {
  const firstPort = FIRST + 1;
  const console = firstPort + ports.length;
  const firstDisk = console + 1;
  let next = firstDisk + disks.length + heldCount;
  return {
    control: FIRST,
    ports: ports.map((port, index) => ({ port, fd: firstPort + index })),
    console,
    disks: disks.map((disk, index) => ({ disk, fd: firstDisk + index })),
    taps: nics.map((nic) => ({ nic, fds: Array.from({ length: nic.device.queues }, () => next++) })),
  };
}

/** All but TAPs and leases: open files in the order of planDescriptors. The caller closes them. */
export function openDescriptors(spec: VmSpec): readonly number[] {
  const open: number[] = [];
  try {
    open.push(openListeningSocket(spec.controlSocket));
    for (const { socket } of spec.ports) open.push(openListeningSocket(socket));
    const flags = O.WRONLY | O.CREAT | O.TRUNC;
    open.push(attempt(`could not open ${spec.console}`, () => sys.open(spec.console, flags, 0o600)));
    for (const disk of spec.disks) open.push(openImage(disk));
    return open;
  } catch (error) {
    closeDescriptors(open);
    throw error;
  }
}

export function closeDescriptors(fds: readonly number[]): void {
  for (const fd of fds) sys.close(fd);
}

/** With the cache that the disk is to have: QEMU 9.1 and later take no descriptor that is open in another way. */
function openImage({ id, path, readOnly, tuning }: Disk): number {
  const flags = (readOnly ? O.RDONLY : O.RDWR) | (tuning?.cache === 'none' ? O.DIRECT : 0);
  return attempt(`could not open ${path}, the image of disk ${id}`, () => sys.open(path, flags));
}
