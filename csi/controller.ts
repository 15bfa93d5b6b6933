import { Fault } from '../proto/fault.ts';
import { describePod } from '../proto/volume-attachment.ts';
import { DEFAULT_CLASS, NO_LIMITS } from '../proto/volume-class.ts';
import type { Filesystem, VolumeSpec } from '../proto/volume-spec.ts';
import type { Attachments } from './attachments.ts';
import { planCapacity } from './capacity.ts';
import type {
  ControllerGetCapabilitiesResponse,
  CreateVolumeRequest,
  CreateVolumeResponse,
  DeleteVolumeRequest,
  Empty,
  ValidateVolumeCapabilitiesRequest,
  ValidateVolumeCapabilitiesResponse,
} from './messages.ts';
import { agreedFilesystem, parseParameters } from './parameters.ts';
import type { Pool } from './pool/port.ts';
import * as validate from './validate.ts';
import { type Call, constant, type Service } from './verb.ts';
import { toDiskSerial, toVolumeId } from './volume-id.ts';
import { describeMismatch } from './volume-mismatch.ts';
import type { FoundVolume, Volumes } from './volumes.ts';

const DEFAULT_FILESYSTEM: Filesystem = 'ext4';

/** The Controller service: volumes come into being and cease. */
export function createController(volumes: Volumes, attachments: Attachments) {
  return {
    CreateVolume: (request: CreateVolumeRequest): Call<CreateVolumeResponse> => createVolume(request, volumes),
    DeleteVolume: (request: DeleteVolumeRequest): Call<Empty> => deleteVolume(request, volumes, attachments),
    ValidateVolumeCapabilities: (
      request: ValidateVolumeCapabilitiesRequest,
    ): Call<ValidateVolumeCapabilitiesResponse> => validateVolumeCapabilities(request, volumes),
    ControllerGetCapabilities: constant<ControllerGetCapabilitiesResponse>({
      capabilities: [{ rpc: { type: 'CREATE_DELETE_VOLUME' } }, { rpc: { type: 'SINGLE_NODE_MULTI_WRITER' } }],
    }),
  } satisfies Service;
}

function createVolume(request: CreateVolumeRequest, volumes: Volumes): Call<CreateVolumeResponse> {
  const name = validate.parseName(request.name, 'name');
  const range = validate.parseCapacityRange(request.capacity_range, 'capacity_range');
  const capabilities = validate.parseCapabilities(request.volume_capabilities, 'volume_capabilities');
  const parameters = parseParameters(request.parameters, 'parameters');
  refuseWhatIsNotOffered(request);
  const fsType = agreedFilesystem(parameters, capabilities, 'volume_capabilities') ?? DEFAULT_FILESYSTEM;
  const capacityBytes = planCapacity(range, fsType);
  const pool = choosePool(volumes.pools, parameters.pool);
  const volumeId = toVolumeId(pool.name, volumes.nodeKey, name);
  const accessModes = [...new Set(capabilities.map(({ accessMode }) => accessMode))];

  return {
    locks: [volumeId],
    fields: { volumeId, name, pool: pool.name, capacityBytes, fsType, accessModes },
    async run({ log }) {
      const existing = await volumes.findByName(name);
      if (existing !== undefined) {
        requireSame(existing, describeMismatch(existing, { name, pool: pool.name, fsType, accessModes, range }));
        return toResponse(existing.spec);
      }
      const serial = toDiskSerial(volumeId);
      const spec = {
        ...{ volumeId, name, capacityBytes, fsType, accessModes, serial },
        ...{ class: DEFAULT_CLASS, limits: NO_LIMITS, isEphemeral: false, createdAtMs: Date.now() },
      };
      await pool.create(spec, undefined, log);
      log.info('volume created', { capacityBytes, fsType });
      return toResponse(spec);
    },
  };
}

function refuseWhatIsNotOffered(request: CreateVolumeRequest): void {
  if (request.volume_content_source !== null) {
    throw validate.invalid('volume_content_source', 'is not supported: the driver makes blank volumes');
  }
  if (request.accessibility_requirements !== null) {
    throw validate.invalid('accessibility_requirements', 'is not supported: the driver reports no topology');
  }
  const [mutable] = Object.keys(request.mutable_parameters);
  if (mutable !== undefined) throw validate.invalid(`mutable_parameters["${mutable}"]`, 'is not supported');
}

function choosePool(pools: ReadonlyMap<string, Pool>, wanted: string | undefined): Pool {
  const names = [...pools.keys()].join(', ');
  if (wanted !== undefined) {
    const pool = pools.get(wanted);
    if (pool === undefined) throw validate.invalid('parameters["pool"]', `is ${wanted}, but this node has ${names}`);
    return pool;
  }
  const [only, ...others] = pools.values();
  if (only === undefined || others.length > 0) {
    throw validate.invalid('parameters["pool"]', `is required, as this node has several pools: ${names}`);
  }
  return only;
}

function requireSame({ spec }: FoundVolume, differences: readonly string[]): void {
  if (differences.length === 0) return;
  const { name, volumeId } = spec;
  const message = `volume ${JSON.stringify(name)} exists as ${volumeId}, but ${differences.join('; ')}`;
  throw new Fault('exists', message, { fields: { volumeId } });
}

function toResponse({ volumeId, capacityBytes }: VolumeSpec): CreateVolumeResponse {
  return { volume: { volume_id: volumeId, capacity_bytes: String(capacityBytes), volume_context: {} } };
}

function deleteVolume(request: DeleteVolumeRequest, volumes: Volumes, attachments: Attachments): Call<Empty> {
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  return {
    locks: [volumeId],
    fields: { volumeId },
    async run({ log }) {
      const location = volumes.locate(volumeId);
      // Not OK: whoever is told so believes that the data are gone.
      if (location.kind === 'elsewhere') throw new Fault('precondition', location.reason, { fields: { volumeId } });
      if (location.kind === 'nowhere') return {};
      const published = (await attachments.all()).find((attachment) => attachment.volumeId === volumeId);
      if (published !== undefined) {
        const { podUid, targetPath } = published;
        const message = `volume ${volumeId} is published for ${describePod(podUid)} at ${targetPath}; unpublish it first`;
        throw new Fault('precondition', message, { fields: { volumeId, podUid, targetPath } });
      }
      if (await location.pool.remove(location.volumeId, log)) log.info('volume deleted');
      return {};
    },
  };
}

function validateVolumeCapabilities(
  request: ValidateVolumeCapabilitiesRequest,
  volumes: Volumes,
): Call<ValidateVolumeCapabilitiesResponse> {
  const { volume_capabilities, parameters } = request;
  const volumeId = validate.parseText(request.volume_id, 'volume_id');
  validate.requireSome(volume_capabilities, 'volume_capabilities');
  const checked = volume_capabilities.map((message, index) =>
    validate.checkCapability(message, `volume_capabilities[${index}]`),
  );
  const asked = parseParameters(parameters, 'parameters');
  return {
    fields: { volumeId },
    async run() {
      const found = await volumes.require(volumeId);
      for (const check of checked) {
        if (!check.supported) return { message: `${check.field} ${check.problem}` };
        const { fsType, accessMode } = check.capability;
        const wanted = { pool: asked.pool, fsType: fsType ?? asked.fsType, accessModes: [accessMode] };
        const differences = describeMismatch(found, wanted);
        if (differences.length > 0) return { message: `volume ${volumeId}: ${differences.join('; ')}` };
      }
      return { confirmed: { volume_context: {}, volume_capabilities, parameters } };
    },
  };
}
