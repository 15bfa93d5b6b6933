import type { Disk, DiskTuning } from '../port.ts';
import { option } from './option.ts';

const PLAIN: DiskTuning = { cache: 'writeback', aio: 'threads', queues: 1, iothread: false, discard: false };

/**
 * The format is said, never probed: a guest could write the header of another one. QEMU's own lock on the image stays on.
 * `filename` is the image as QEMU names it, which need not be the disk's path.
 * Out of space stops the guest at the write; any other error is the guest's to see.
 */
export function diskArgs({ id, serial, readOnly, isDevice = false, tuning = PLAIN }: Disk, filename: string): string[] {
  const { cache, aio, queues, iothread, discard } = tuning;
  const node = {
    driver: 'raw',
    'node-name': id,
    'read-only': readOnly,
    discard: discard ? 'unmap' : 'ignore',
    'cache.direct': cache === 'none',
    'cache.no-flush': false,
    'file.driver': isDevice ? 'host_device' : 'file',
    'file.filename': filename,
    'file.aio': aio,
    'file.locking': true,
  };
  const thread = `${id}-thread`;
  const device = {
    id: diskDevice(id),
    drive: id,
    serial,
    'num-queues': queues,
    // What would be ignored is not offered, so that a guest does not believe that it gave space back.
    discard,
    ...(iothread ? { iothread: thread } : {}),
    werror: 'enospc',
    rerror: 'report',
  };
  return [
    ...['-blockdev', option('', node)],
    ...(iothread ? ['-object', option('iothread', { id: thread })] : []),
    ...['-device', option('virtio-blk-pci', device)],
  ];
}

const diskDevice = (diskId: string): string => `${diskId}-device`;

/** What QEMU calls the part of the device that has the limits, in its object model. */
export const diskBackendPath = (diskId: string): string => `/machine/peripheral/${diskDevice(diskId)}/virtio-backend`;
