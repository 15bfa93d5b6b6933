import { stat } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { isSameDevice, toDeviceNumber } from './device-number.ts';

describe('numbers of device nodes', () => {
  it.each([
    [0x0703, { major: 7, minor: 3 }],
    [0x07ff, { major: 7, minor: 255 }],
    [0x100700, { major: 7, minor: 256 }],
    [0xfff00700 + 0xff, { major: 7, minor: 0xfffff }],
    [0xfff00, { major: 0xfff, minor: 0 }],
  ])('are in st_rdev %i', (rdev, number) => {
    expect(toDeviceNumber(rdev)).toEqual(number);
  });

  it('are those of the kernel', async () => {
    expect(toDeviceNumber((await stat('/dev/null')).rdev)).toEqual({ major: 1, minor: 3 });
  });

  it('are the same when both parts are', () => {
    const device = { major: 7, minor: 3 };
    expect(isSameDevice({ ...device }, device)).toBe(true);
    expect(isSameDevice({ ...device, minor: 4 }, device)).toBe(false);
    expect(isSameDevice(undefined, device)).toBe(false);
  });
});
