import packageJson from '../package.json' with { type: 'json' };
import type { GetPluginCapabilitiesResponse, GetPluginInfoResponse, ProbeResponse } from './messages.ts';
import { type Call, constant } from './verb.ts';
import type { Volumes } from './volumes.ts';

/** The `provisioner` of StorageClasses and the name of the CSIDriver object. */
export const DRIVER_NAME = 'csi.berth.dev';
export const DRIVER_VERSION = packageJson.version;

/** The server listens only when its pools are open; one that has failed since keeps it from being ready (CSI 1.12: 9). */
export const createIdentity = ({ pools }: Pick<Volumes, 'pools'>) => ({
  GetPluginInfo: constant<GetPluginInfoResponse>({ name: DRIVER_NAME, vendor_version: DRIVER_VERSION }),
  GetPluginCapabilities: constant<GetPluginCapabilitiesResponse>({
    capabilities: [
      { service: { type: 'CONTROLLER_SERVICE' } },
      { service: { type: 'VOLUME_ACCESSIBILITY_CONSTRAINTS' } },
      { service: { type: 'GROUP_CONTROLLER_SERVICE' } },
      { service: { type: 'SNAPSHOT_METADATA_SERVICE' } },
      { volume_expansion: { type: 'ONLINE' } },
    ],
  }),
  Probe: (): Call<ProbeResponse> => ({
    async run() {
      for (const pool of pools.values()) await pool.requireSound();
      return { ready: { value: true } };
    },
  }),
});
