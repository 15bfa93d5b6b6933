import type { FailpointHost } from '../failpoint.ts';
import { SIG, sys } from './sys.ts';

export function nativeFailpointHost(): FailpointHost {
  return {
    environment: () => sys.env(),
    kill: () => sys.kill(sys.getpid(), SIG.KILL),
    write: (line) => sys.write(2, sys.utf8Encode(line)),
  };
}
