import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../proto/fault.ts';
import type { Log } from '../runtime/system/log.ts';
import { DRIVER_NAME } from './identity.ts';
import type { Empty } from './messages.ts';
import type { RpcMetrics } from './metrics/rpc-metrics.ts';
import { type RunningServer, startServer } from './server.ts';
import { constant, type Service, type Verb } from './verb.ts';

/** Messages of pluginregistration.proto. */
interface PluginInfo {
  readonly type: 'CSIPlugin';
  readonly name: string;
  readonly endpoint: string;
  readonly supported_versions: readonly string[];
}
interface RegistrationStatus {
  readonly plugin_registered: boolean;
  readonly error: string;
}

interface RegistrationOptions {
  /** kubelet's plugins_registry. */
  readonly directory: string;
  /** Where the driver serves CSI, as kubelet sees the path. */
  readonly socketPath: string;
}

/**
 * Shows the driver to kubelet, which finds `<directory>/<driver name>-reg.sock` by itself, also after a restart of its
 * own. To be called when CSI is served already: kubelet asks the driver for its node's id at once.
 */
export async function startRegistration(
  { directory, socketPath }: RegistrationOptions,
  metrics: RpcMetrics,
  log: Log,
): Promise<RunningServer> {
  try {
    // kubelet makes it too, when it starts; either may be first.
    await mkdir(directory, { recursive: true, mode: 0o750 });
  } catch (cause) {
    throw new Fault('io', `could not make the directory ${directory}`, { fields: { directory }, cause });
  }
  const services = { Registration: createRegistration(socketPath) };
  return startServer(join(directory, `${DRIVER_NAME}-reg.sock`), services, metrics, log);
}

function createRegistration(endpoint: string) {
  const notify: Verb<RegistrationStatus, Empty> = ({ plugin_registered, error }) => ({
    async run({ log }) {
      if (plugin_registered) log.info('kubelet has registered the driver');
      else log.error('kubelet has not registered the driver', { reason: error });
      return {};
    },
  });
  return {
    // The version is of kubelet's handling of CSI plugins, not of CSI: it has known this one alone since CSI 1.0.
    GetInfo: constant<PluginInfo>({ type: 'CSIPlugin', name: DRIVER_NAME, endpoint, supported_versions: ['1.0.0'] }),
    NotifyRegistrationStatus: notify,
  } satisfies Service;
}
