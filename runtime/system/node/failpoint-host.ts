import { writeSync } from 'node:fs';
import type { FailpointHost } from '../failpoint.ts';

export function nodeFailpointHost(): FailpointHost {
  return {
    environment: () => process.env,
    kill: () => process.kill(process.pid, 'SIGKILL'),
    write: (line) => writeSync(2, line),
  };
}
