import * as v from 'valibot';
import { decodeWith } from '../../../proto/record.ts';
import type { DiskError } from '../port.ts';

/** QEMU's event BLOCK_IO_ERROR; QEMU 7.2 names the disk by its node alone. */
const event = v.looseObject({
  'node-name': v.string(),
  operation: v.picklist(['read', 'write']),
  action: v.string(),
  nospace: v.optional(v.boolean(), false),
  reason: v.string(),
});

export function parseDiskError(data: unknown): DiskError {
  const { 'node-name': diskId, operation, action, nospace, reason } = decodeWith(event, data, 'QMP: BLOCK_IO_ERROR');
  return { diskId, operation, isOutOfSpace: nospace && action === 'stop', reason };
}
