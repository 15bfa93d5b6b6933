import { readFile } from 'node:fs/promises';
import { availableParallelism, loadavg, release, totalmem } from 'node:os';
import { exec } from '../../runtime/system/node/exec.ts';

/** What figures depend on, and nothing that names the machine. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryMib: number;
  readonly kernel: string;
  /** Whether the machine is itself a virtual one. */
  readonly isVirtual: boolean;
  readonly qemu: string;
  readonly node: string;
}

export async function describeMachine(): Promise<Machine> {
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8');
  return {
    processor: /^model name\s*:\s*(.+)$/m.exec(cpuinfo)?.[1] ?? 'unknown',
    cores: availableParallelism(),
    memoryMib: Math.round(totalmem() / (1 << 20)),
    kernel: release(),
    isVirtual: /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo),
    qemu: (await exec('qemu-system-x86_64', ['--version'])).split('\n')[0] ?? '',
    node: process.versions.node,
  };
}

/** Of the last minute. */
export const readLoadAverage = (): number => loadavg()[0] ?? 0;
