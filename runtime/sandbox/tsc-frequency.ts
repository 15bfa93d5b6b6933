/**
 * Frequency of the time stamp counter in kHz, by /proc/cpuinfo; 0 if it does not say. The value serves a guest whose own
 * calibration fails under emulation, where it need not be exact.
 */
export function parseTscKhz(cpuinfo: string): number {
  const mhz = Number(/^cpu MHz\s*:\s*([0-9.]+)$/m.exec(cpuinfo)?.[1] ?? 0);
  return Number.isFinite(mhz) ? Math.round(mhz * 1000) : 0;
}
