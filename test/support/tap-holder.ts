import { once } from 'node:events';
import { execa } from 'execa';
import { deviceClaim } from '../../proto/network-attachment.ts';

export interface TapHolder {
  /** Ends the process that has the TAP open. */
  release(): Promise<void>;
}

/** Has a TAP open as a VMM does, without a machine: QEMU opens what a -netdev names and then waits for its monitor. */
export function holdTap(prefix: readonly string[], tap: string, queues: number): Promise<TapHolder> {
  const netdev = `tap,id=held,ifname=${tap},script=no,downscript=no${queues > 1 ? `,queues=${queues}` : ''}`;
  return runQemu(prefix, ['-netdev', netdev]);
}

/** Claims a macvtap as berth's VMM does. */
export const claimMacvtap = (prefix: readonly string[], name: string): Promise<TapHolder> =>
  runQemu(prefix, ['-chardev', `socket,id=claim,path=${deviceClaim(name)},abstract=on,server=on,wait=off`]);

async function runQemu(prefix: readonly string[], opened: readonly string[]): Promise<TapHolder> {
  const qemu = ['qemu-system-x86_64', '-nodefaults', '-display', 'none', '-machine', 'none'];
  const [file = '', ...args] = [...prefix, ...qemu, ...opened, '-monitor', 'stdio'];
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
