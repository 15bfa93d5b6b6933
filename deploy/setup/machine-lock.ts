import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { report } from './progress.ts';

/**
 * Runs `body` while this process alone on the machine holds `path`. Node has no flock(2): util-linux's flock holds it in
 * a child that lives as long as the pipe to this process, so the lock goes with the process however it ends.
 */
export async function withMachineLock<T>(path: string, body: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const holder = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo locked; cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'close');
  const notice = setTimeout(() => report(`waiting for ${path}: another set-up or build is running`), 1000);
  try {
    await Promise.race([
      once(holder.stdout, 'data'),
      ended.then(() => {
        throw new Fault('environment', `flock could not lock ${path}; it comes with the package util-linux`);
      }),
    ]);
  } finally {
    clearTimeout(notice);
  }
  try {
    return await body();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
