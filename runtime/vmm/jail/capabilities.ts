import { Fault } from '../../../proto/fault.ts';

/** linux/capability.h */
export const CAPABILITY = {
  CHOWN: 0,
  DAC_READ_SEARCH: 2,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  NET_ADMIN: 12,
  SYS_PTRACE: 19,
  SYS_ADMIN: 21,
  MKNOD: 27,
} as const;
type Name = keyof typeof CAPABILITY;

/**
 * Fault `environment` that names those which making a jail, finding the VMM again and ending it need and `status`, a
 * text of /proc/PID/status, lacks.
 */
export function checkCapabilities(status: string, hasTaps: boolean): void {
  const [, effective] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  if (effective === undefined) throw new Fault('environment', '/proc/self/status has no CapEff; mount /proc');
  const needed: readonly Name[] = [
    ...(['SYS_ADMIN', 'MKNOD', 'CHOWN', 'SETUID', 'SETGID', 'SETPCAP', 'KILL'] as const),
    // Without them /proc does not show what another user's process has open, and a VMM would not be found again.
    ...(['SYS_PTRACE', 'DAC_READ_SEARCH'] as const),
    ...(hasTaps ? (['NET_ADMIN'] as const) : []),
  ];
  const held = BigInt(`0x${effective}`);
  const missing = needed.filter((name) => ((held >> BigInt(CAPABILITY[name])) & 1n) === 0n);
  if (missing.length === 0) return;
  const names = missing.map((name) => `CAP_${name}`).join(', ');
  throw new Fault('environment', `the VMM cannot be isolated without ${names}; run the shim as root with them`);
}
