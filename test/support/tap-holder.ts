import { once } from 'node:events';
import { execa } from 'execa';

export interface TapHolder {
  /** Ends the process that has the TAP open. */
  release(): Promise<void>;
}

/** Has a TAP open as a VMM does, without a machine: QEMU opens what a -netdev names and then waits for its monitor. */
export async function holdTap(prefix: readonly string[], tap: string, queues: number): Promise<TapHolder> {
  const netdev = `tap,id=held,ifname=${tap},script=no,downscript=no${queues > 1 ? `,queues=${queues}` : ''}`;
  const qemu = ['qemu-system-x86_64', '-nodefaults', '-display', 'none', '-machine', 'none'];
  const [file = '', ...args] = [...prefix, ...qemu, '-netdev', netdev, '-monitor', 'stdio'];
  const process = execa(file, args, { stdin: 'pipe', reject: false });
  // The monitor speaks when all that the command line names is open.
  await Promise.race([once(process.stdout, 'data'), process]);
  return {
    async release() {
      process.stdin.end('quit\n');
      await process;
    },
  };
}
