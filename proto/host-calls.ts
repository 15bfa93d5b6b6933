import { bool, message, messages, string, uint } from './protobuf.ts';
import { method } from './ttrpc.ts';

/**
 * System calls that a Node program cannot make: `berth.host.v1.Host` over ttrpc on a socket pair, answered by
 * berth-csi-host for the berth-csi that started it. Both are of one build. What a call refuses is a status whose Fault
 * carries the errno name in its field `errno`.
 */
export const HOST_SERVICE = 'berth.host.v1.Host';

const empty = message({});
const path = message({ path: string(1) });
const loopDevice = { path: string(1), major: uint(2), minor: uint(3) };
const extent = message({
  logical: uint(1),
  physical: uint(2),
  length: uint(3),
  isUnwritten: bool(4),
  isPlaced: bool(5),
});

export const hostMethods = {
  /** `flags`: MS_* of mount(2). */
  mount: method(
    'Mount',
    message({ source: string(1), target: string(2), fsType: string(3), flags: uint(4), data: string(5) }),
    empty,
  ),
  /** The topmost mount at the path, which is not followed if it is a symbolic link. */
  unmount: method('Unmount', message({ target: string(1) }), empty),
  /** Without `held`, another open file has the lock; `lockId` is for Unlock. */
  tryLock: method('TryLock', path, message({ held: bool(1), lockId: uint(2) })),
  unlock: method('Unlock', message({ lockId: uint(1) }), empty),
  clone: method('Clone', message({ from: string(1), to: string(2) }), empty),
  allocate: method('Allocate', message({ path: string(1), sizeBytes: uint(2) }), empty),
  /** A page of a file's extents, from the byte `start` on; `isLast` is true of the page that ends the file. */
  extents: method(
    'Extents',
    message({ path: string(1), start: uint(2) }),
    message({ extents: messages(1, extent), isLast: bool(2) }),
  ),
  attachLoop: method('AttachLoop', message({ path: string(1), readOnly: bool(2) }), message(loopDevice)),
  loopsOf: method('LoopsOf', path, message({ loops: messages(1, message(loopDevice)) })),
  detachLoop: method('DetachLoop', message(loopDevice), empty),
  /** A node for a block device, mode 0600. */
  makeDeviceNode: method('MakeDeviceNode', message(loopDevice), empty),
};

export type HostMethods = typeof hostMethods;
