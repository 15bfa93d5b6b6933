import type { ValidateVolumeCapabilitiesRequest, ValidateVolumeCapabilitiesResponse } from '../messages.ts';
import { parseMutableParameters, parseParameters } from '../parameters.ts';
import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import { describeMismatch } from '../volume-mismatch.ts';
import type { ControllerContext } from './context.ts';

/** CSI 1.12, ValidateVolumeCapabilities: confirms all, or says why not. Of parameters it judges those that were given. */
export function validateVolumeCapabilities(
  request: ValidateVolumeCapabilitiesRequest,
  { volumes }: ControllerContext,
): Call<ValidateVolumeCapabilitiesResponse> {
  const { volume_capabilities, parameters, mutable_parameters } = request;
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  validate.requireSome(volume_capabilities, 'volume_capabilities');
  const checked = volume_capabilities.map((message, index) =>
    validate.checkCapability(message, `volume_capabilities[${index}]`),
  );
  const asked = parseParameters(parameters, 'parameters');
  const limits = parseMutableParameters(mutable_parameters, 'mutable_parameters');
  return {
    fields: { volumeId },
    async run() {
      const found = volumes.require(volumeId);
      for (const check of checked) {
        if (!check.supported) return { message: `${check.field} ${check.problem}` };
        const { fsType, accessMode } = check.capability;
        const differences = describeMismatch(found, {
          ...{ pool: asked.pool, fsType: fsType ?? asked.fsType, accessModes: [accessMode] },
          ...{ class: asked.saidOfClass, limits },
        });
        if (differences.length > 0) return { message: `volume ${volumeId}: ${differences.join('; ')}` };
      }
      return { confirmed: { volume_context: {}, volume_capabilities, parameters, mutable_parameters } };
    },
  };
}
