import { Fault } from '../../proto/fault.ts';
import { SHIM_SERVICE, shimMethods } from '../../proto/shim.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { defineService, type Service } from '../system/rpc/ttrpc-server.ts';

/** SIGRTMAX of Linux. */
const HIGHEST_SIGNAL = 64;

/** berth's own service on shim.sock (proto/shim.ts). */
export function shimService(sandbox: Sandbox): Service {
  return defineService(SHIM_SERVICE, shimMethods, {
    create: (request) => sandbox.create(request),
    async start() {
      await sandbox.start();
      return {};
    },
    resume: async ({ stdoutBytes, stderrBytes }) => ({
      stdinBytes: await sandbox.resume({ stdout: stdoutBytes, stderr: stderrBytes }),
    }),
    wait: async () => ({ exitCode: await sandbox.wait() }),
    async kill({ signal, all }) {
      if (signal < 1 || signal > HIGHEST_SIGNAL) {
        throw new Fault('invalid', `signal is ${signal}, but must be 1 to ${HIGHEST_SIGNAL}`, {
          fields: { field: 'signal' },
        });
      }
      await sandbox.kill(signal, all);
      return {};
    },
    async stop({ timeoutMs }) {
      await sandbox.stop(timeoutMs);
      return {};
    },
    measureVolume: unsupported,
    growVolume: unsupported,
    freezeVolumes: unsupported,
    thawVolumes: unsupported,
    throttleVolume: unsupported,
    trimVolume: unsupported,
  });
}

function unsupported(): never {
  throw new Fault('unsupported', 'this shim does not have the call');
}
