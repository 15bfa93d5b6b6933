import type { PlanFacts } from './types.ts';

/** CONFIG_HZ of Debian's kernels. */
const GUEST_HZ = 250;

/**
 * Command line of the guest's kernel. A panic reboots at once, and the VMM ends instead (`-no-reboot`), so that the shim
 * sees it. Under emulation the guest's own calibration of the time stamp counter fails at random and hangs the boot:
 * the host's value is the guest's, because the emulator passes the counter through. 0 if the host's is unknown. What the
 * kernel does not know, it gives PID 1 as its environment: so the agent gets BERTH_TRACE.
 */
export function planKernelParameters({
  accelerator,
  tscKhz,
  trace,
}: Pick<PlanFacts, 'accelerator' | 'tscKhz' | 'trace'>): readonly string[] {
  const calibration =
    accelerator.chosen === 'tcg' && tscKhz > 0
      ? [`tsc_early_khz=${tscKhz}`, `lpj=${Math.floor((tscKhz * 1000) / GUEST_HZ)}`]
      : [];
  return ['console=ttyS0', 'quiet', 'panic=-1', ...calibration, ...(trace === '' ? [] : [`BERTH_TRACE=${trace}`])];
}
