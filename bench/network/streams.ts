import { Fault } from '../../proto/fault.ts';
import type { ShellPod } from '../../test/support/shell-pod.ts';
import type { Launcher } from '../core/launcher.ts';

const BLOCK_KIB = 256;
const PORTS = { fromGuest: 5001, toGuest: 5002 } as const;
const PINGS = 500;
const MS_PER_S = 1000;
const ENVIRONMENT = ['PATH=/usr/bin:/bin'];

/** Serves in the guest what the measures below ask for, with the one program that is on both sides: busybox. */
export async function serveStreams(guest: ShellPod, mib: number): Promise<void> {
  await guest.run(`nc -ll -p ${PORTS.fromGuest} -e ${source(mib)} 2>&- &`);
  await guest.run(`nc -ll -p ${PORTS.toGuest} -e sh -c '${sink(mib)}; echo done' 2>&- &`);
  const listening = '/proc/net/tcp /proc/net/tcp6';
  for (const port of Object.values(PORTS)) {
    await guest.run(`until grep -qi ':${port.toString(16)} 0*:0000 0A' ${listening}; do sleep 0.1; done`);
  }
}

/**
 * Seconds from the connection until the last byte of each of `count` streams at once is there, of `mib` MiB each, read by
 * the node and by the guest; and the mean answer of a ping in ms.
 */
export async function measureStreams(node: Launcher, address: string, { mib, count }: { mib: number; count: number }) {
  const fromGuest = `busybox nc ${address} ${PORTS.fromGuest} -e sh -c 'busybox ${sink(mib)}'`;
  const toGuest = `busybox nc ${address} ${PORTS.toGuest} -e sh -c 'busybox ${source(mib)}; read done'`;
  return {
    fromGuest: await timeTogether(node, fromGuest, count),
    toGuest: await timeTogether(node, toGuest, count),
  };
}

export async function measurePing(node: Launcher, address: string): Promise<number> {
  const argv = ['busybox', 'ping', '-q', '-A', '-c', String(PINGS), address] as const;
  const { stdout } = await node.launch({ argv, env: ENVIRONMENT, stdin: '', wants: 'time' });
  const [, mean] = /min\/avg\/max = [\d.]+\/([\d.]+)\//.exec(stdout) ?? [];
  if (mean === undefined) throw new Fault('exec', `ping says nothing of its mean: ${stdout}`);
  return Number(mean);
}

const source = (mib: number): string => `dd if=/dev/zero bs=${BLOCK_KIB}k count=${blocks(mib)} 2>&-`;
const sink = (mib: number): string => `dd of=/dev/null bs=${BLOCK_KIB}k count=${blocks(mib)} iflag=fullblock 2>&-`;
const blocks = (mib: number): number => (mib * 1024) / BLOCK_KIB;

async function timeTogether(node: Launcher, command: string, count: number): Promise<number> {
  const script = `${Array.from({ length: count }, () => `${command} & `).join('')}wait`;
  const argv = ['busybox', 'sh', '-c', script] as const;
  const { milliseconds } = await node.launch({ argv, env: ENVIRONMENT, stdin: '', wants: 'time' });
  return milliseconds / MS_PER_S;
}
