import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';

/** A `berth run` in the background, watched by what its container prints. */
export interface PodProcess {
  readonly name: string;
  readonly pid: number;
  /** The rest of the first line that begins with `key` and a blank; throws if the pod ends without one. */
  line(key: string): Promise<string>;
  /** What the command exits with. */
  readonly exitCode: Promise<number>;
  /** All lines of stdout so far. */
  lines(): readonly string[];
  /** All of stderr so far. */
  stderr(): string;
  /** SIGTERM, and waits for the end. */
  end(): Promise<number>;
}

/** `argv` is the whole command. */
export function startPod(name: string, argv: readonly string[]): PodProcess {
  const [file = '', ...args] = argv;
  const child = execa(file, args, { reject: false, stdin: 'ignore', buffer: { stdout: false, stderr: false } });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let ended = false;
  let stderr = '';
  const wake = () => {
    for (const check of [...waiting]) check();
  };
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => {
    lines.push(line);
    wake();
  });
  const exitCode = Promise.all([child, new Promise((resolve) => reader.once('close', resolve))]).then(([result]) => {
    ended = true;
    wake();
    return result.exitCode ?? 255;
  });
  return {
    name,
    pid: child.pid ?? 0,
    exitCode,
    lines: () => lines,
    stderr: () => stderr,
    line: (key) =>
      new Promise((resolve, reject) => {
        const check = () => {
          const found = lines.find((line) => line.startsWith(`${key} `));
          if (found === undefined && !ended) return;
          waiting.delete(check);
          if (found !== undefined) resolve(found.slice(key.length + 1));
          else reject(new Fault('exec', `pod ${name} ended without saying "${key}"`, { fields: { stderr } }));
        };
        waiting.add(check);
        check();
      }),
    end: () => {
      child.kill('SIGTERM');
      return exitCode;
    },
  };
}
