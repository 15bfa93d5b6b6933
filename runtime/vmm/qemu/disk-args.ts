import type { Disk } from '../port.ts';
import { option } from './option.ts';

/**
 * The format is said, never probed: a guest could write the header of another one. QEMU's own lock on the image stays on.
 * `filename` is the image as QEMU names it, which need not be the disk's path.
 * Out of space stops the guest at the write; any other error is the guest's to see.
 */
export function diskArgs({ id, serial, readOnly }: Disk, filename: string): string[] {
  const node = {
    driver: 'raw',
    'node-name': id,
    'read-only': readOnly,
    discard: 'unmap',
    'cache.direct': false,
    'cache.no-flush': false,
    'file.driver': 'file',
    'file.filename': filename,
    'file.aio': 'threads',
    'file.locking': true,
  };
  return [
    ...['-blockdev', option('', node)],
    ...[
      '-device',
      option('virtio-blk-pci', { id: `${id}-device`, drive: id, serial, werror: 'enospc', rerror: 'report' }),
    ],
  ];
}
