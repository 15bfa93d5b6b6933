import { describe, expect, it } from 'vitest';
import { parseDiskError } from './disk-error.ts';

/** As QEMU 7.2 sends it for a write to a full file system. */
const EVENT = {
  device: '',
  'node-name': 'disk-v',
  operation: 'write',
  action: 'stop',
  nospace: true,
  reason: 'No space left on device',
};

describe('parseDiskError', () => {
  it.each([
    ['a guest that is stopped for want of space', EVENT, true],
    [
      'an error that the guest was told',
      { ...EVENT, action: 'report', nospace: false, reason: 'Input/output error' },
      false,
    ],
    ['a want of space that the guest was told', { ...EVENT, action: 'report' }, false],
  ])('knows %s', (_, event, isOutOfSpace) => {
    expect(parseDiskError(event)).toEqual({
      diskId: 'disk-v',
      operation: 'write',
      isOutOfSpace,
      reason: event.reason,
    });
  });

  it('refuses what is no event of a disk', () => {
    expect(() => parseDiskError({ ...EVENT, operation: 'flush' })).toThrow(/BLOCK_IO_ERROR: operation/);
  });
});
