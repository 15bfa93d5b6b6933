import type { Accelerator } from '../vmm/port.ts';

/** CONFIG_HZ of Debian's kernels. */
const GUEST_HZ = 250;

/**
 * Command line of the guest's kernel. A panic reboots at once, and the VMM ends instead (`-no-reboot`), so that the shim
 * sees it. Under emulation the guest's own calibration of the time stamp counter fails at random and hangs the boot:
 * the host's value is the guest's, because the emulator passes the counter through. 0 if the host's is unknown.
 */
export function planKernelParameters(accelerator: Accelerator, tscKhz: number): readonly string[] {
  const calibration =
    accelerator === 'tcg' && tscKhz > 0
      ? [`tsc_early_khz=${tscKhz}`, `lpj=${Math.floor((tscKhz * 1000) / GUEST_HZ)}`]
      : [];
  return ['console=ttyS0', 'quiet', 'panic=-1', ...calibration];
}
