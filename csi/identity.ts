import packageJson from '../package.json' with { type: 'json' };
import type { GetPluginCapabilitiesResponse, GetPluginInfoResponse, ProbeResponse } from './messages.ts';
import { constant, type Service } from './verb.ts';

/** The `provisioner` of StorageClasses and the name of the CSIDriver object. */
export const DRIVER_NAME = 'csi.berth.dev';
export const DRIVER_VERSION = packageJson.version;

/** The server listens only when its pools are open, so whoever can ask is told yes. */
export const identity = {
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
  Probe: constant<ProbeResponse>({ ready: { value: true } }),
} satisfies Service;
