import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { type Lab, programs } from './lab.ts';
import { signalInWorld } from './world.ts';

/** A pod that writes to its volume, at all times, and what it is told, in order. */
export interface StepWriter {
  /** Resolves when the number is on its disk, at the end of `log`. */
  write(number: number): Promise<void>;
  end(): Promise<number>;
}

const SCRIPT = `trap 'exit 0' TERM
(while :; do head -c 300000 /dev/urandom >/data/noise; sync /data/noise; done) &
echo ready
while read n; do echo $n >>/data/log && sync /data/log && echo $n || exit 1; done`;

/** Resolves when it writes. */
export async function startStepWriter(lab: Lab, name: string, target: string): Promise<StepWriter> {
  const run = ['run', await lab.bundle(name, SCRIPT), '--id', name, '--volume', `${target}:/data`];
  const [file = '', ...args] = [...lab.prefix, process.execPath, programs.berth, ...run, '--accelerator', 'tcg'];
  const child = execa(file, args, { reject: false, stdin: 'pipe', buffer: { stdout: false } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const expectLine = async (wanted: string): Promise<void> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`pod ${name} ended: ${(await child).stderr}`);
    if (value !== wanted) throw new Error(`pod ${name} said ${value} in place of ${wanted}`);
  };
  await expectLine('ready');
  return {
    async write(number) {
      child.stdin.write(`${number}\n`);
      await expectLine(String(number));
    },
    async end() {
      await signalInWorld(child.pid ?? 0, 'SIGTERM');
      return (await child).exitCode ?? 255;
    },
  };
}
