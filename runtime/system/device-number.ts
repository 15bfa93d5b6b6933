/** Number of a device node. */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** Linux: st_rdev has the minor number in its bits 0 to 7 and 20 to 31, the major in 8 to 19. */
export function toDeviceNumber(rdev: number): DeviceNumber {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}

export function isSameDevice(one: DeviceNumber | undefined, other: DeviceNumber): boolean {
  return one?.major === other.major && one.minor === other.minor;
}
