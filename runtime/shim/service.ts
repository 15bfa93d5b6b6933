import { Fault } from '../../proto/fault.ts';
import { SHIM_SERVICE, shimMethods } from '../../proto/shim.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { defineService, type Service } from '../system/rpc/ttrpc-server.ts';

/** SIGRTMAX of Linux. */
const HIGHEST_SIGNAL = 64;

/** berth's own service on shim.sock (proto/shim.ts). */
export function shimService(sandbox: Sandbox): Service {
  const { volumes } = sandbox;
  return defineService(SHIM_SERVICE, shimMethods, {
    create: (request) => sandbox.create(request),
    maintain: (request) => sandbox.maintain(request),
    async start({ containerId }) {
      await sandbox.start(containerId);
      return {};
    },
    async resume({ containers }) {
      const handedOn = containers.map(
        ({ containerId, stdoutBytes, stderrBytes }) =>
          [containerId, { stdout: stdoutBytes, stderr: stderrBytes }] as const,
      );
      const resumed = await sandbox.resume(new Map(handedOn));
      return { containers: [...resumed].map(([containerId, stdinBytes]) => ({ containerId, stdinBytes })) };
    },
    wait: async ({ containerId }) => ({ exitCode: await sandbox.wait(containerId) }),
    async kill({ containerId, signal, all }) {
      if (signal < 1 || signal > HIGHEST_SIGNAL) {
        throw new Fault('invalid', `signal is ${signal}, but must be 1 to ${HIGHEST_SIGNAL}`, {
          fields: { field: 'signal' },
        });
      }
      await sandbox.kill(containerId, signal, all);
      return {};
    },
    async stop({ timeoutMs }) {
      await sandbox.stop(timeoutMs);
      return {};
    },
    measureVolume: ({ volumeId }) => volumes.measure(volumeId),
    growVolume: ({ volumeId, sizeBytes }) => volumes.grow(volumeId, sizeBytes),
    async freezeVolumes({ volumeIds, timeoutMs }) {
      await volumes.freeze(volumeIds, timeoutMs);
      return {};
    },
    thawVolumes: async ({ volumeIds }) => ({ wasHeld: await volumes.thaw(volumeIds) }),
    async throttleVolume({ volumeId, iops, bandwidthBytes }) {
      await volumes.throttle(volumeId, { iops, bandwidthBytes });
      return {};
    },
    trimVolume: async ({ volumeId }) => ({ trimmedBytes: await volumes.trim(volumeId) }),
  });
}
