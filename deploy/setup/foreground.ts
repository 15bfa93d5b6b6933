import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs a program in place of this one: same terminal, signals passed on, and its exit status (128 + signal, as a shell
 * has it) returned when it has cleared up and gone. A terminal sends Ctrl-C to the program by itself, and npm passes it
 * on to this process once more: forwarded, it would look like impatience, and cut the clearing up short.
 */
export function runInForeground(argv: readonly [string, ...string[]]): Promise<number> {
  const [program, ...args] = argv;
  const child = spawn(program, args, { stdio: 'inherit' });
  const passed = new Set<NodeJS.Signals>(process.stdin.isTTY ? ['SIGINT'] : []);
  const forward = (signal: NodeJS.Signals): void => {
    if (!passed.has(signal)) child.kill(signal);
    passed.add(signal);
  };
  for (const signal of SIGNALS) process.on(signal, forward);
  return new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => resolve(status ?? 128 + (signal ? constants.signals[signal] : 0)));
  }).finally(() => {
    for (const signal of SIGNALS) process.off(signal, forward);
  });
}
