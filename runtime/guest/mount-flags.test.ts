import { describe, expect, it } from 'vitest';
import { MS, toMountRequest } from './mount-flags.ts';

describe('toMountRequest', () => {
  it.each([
    [[], false, 0, ''],
    [[], true, MS.RDONLY, ''],
    [['noatime', 'nodev'], false, MS.NOATIME | MS.NODEV, ''],
    [['noatime,discard', 'data=journal'], false, MS.NOATIME, 'discard,data=journal'],
    [['nosuid', 'suid'], false, 0, ''],
    // The disk is read-only: no option makes it writable.
    [['rw'], true, MS.RDONLY, ''],
    [['defaults', ''], false, 0, ''],
    [['constructor'], false, 0, 'constructor'],
  ])('%j, read-only %s', (options, readOnly, flags, data) => {
    expect(toMountRequest(options, readOnly)).toEqual({ flags, data });
  });
});
