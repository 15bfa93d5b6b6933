/** What the first boot may take on a machine that nobody has measured. */
const UNKNOWN_MACHINE_MS = 180_000;
const FACTOR = 6;
const AT_LEAST_MS = 30_000;

/** One deadline for all that waits for a guest, calibrated by the first boot; BERTH_BOOT_LIMIT_S overrules it. */
export class BootLimit {
  private firstBootMs: number | undefined;

  get ms(): number {
    const given = process.env['BERTH_BOOT_LIMIT_S'];
    if (given !== undefined) return Number(given) * 1000;
    return this.firstBootMs === undefined ? UNKNOWN_MACHINE_MS : Math.max(AT_LEAST_MS, FACTOR * this.firstBootMs);
  }

  measured(bootMs: number): void {
    this.firstBootMs ??= bootMs;
  }
}
