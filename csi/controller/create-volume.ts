import { Fault } from '../../proto/fault.ts';
import type { AccessMode, Filesystem, VolumeSpec } from '../../proto/volume-spec.ts';
import { planCapacity } from '../capacity.ts';
import { type AskedSource, describeContent, findSource, parseContentSource, poolOfSource } from '../content-source.ts';
import type { CreateVolumeRequest, CreateVolumeResponse } from '../messages.ts';
import {
  agreedFilesystem,
  type ClassParameters,
  parseMutableParameters,
  parseParameters,
  requireGrowable,
  requireLimitable,
} from '../parameters.ts';
import type { Pool } from '../pool/port.ts';
import { isAccessible } from '../topology.ts';
import * as validate from '../validate.ts';
import type { Call } from '../verb.ts';
import { toDiskSerial, toVolumeId } from '../volume-id.ts';
import { describeMismatch } from '../volume-mismatch.ts';
import type { FoundVolume } from '../volumes.ts';
import { choosePool } from './choose-pool.ts';
import type { ControllerContext } from './context.ts';
import { createFrom } from './create-from.ts';
import { toVolumeMessage } from './volume-message.ts';

const DEFAULT_FILESYSTEM: Filesystem = 'ext4';

/** What is asked, checked as far as the request alone can tell. */
interface WantedVolume {
  readonly name: string;
  readonly range: validate.CapacityRange;
  readonly accessModes: AccessMode[];
  /** Every capability is one of a block device: no file system has to fit. */
  readonly isRaw: boolean;
  /** Undefined: the source's, or the driver's choice. */
  readonly fsType: Filesystem | undefined;
  readonly parameters: ClassParameters;
  readonly source: AskedSource | undefined;
}

/** CSI 1.12, CreateVolume. The name is the key: the same request again finds what the first one made. */
export function createVolume(request: CreateVolumeRequest, context: ControllerContext): Call<CreateVolumeResponse> {
  const { volumes, nodeId } = context;
  const wanted = parseRequest(request);
  const { name, source } = wanted;
  requireAccessible(request, nodeId);
  const pool = choosePool(volumes.pools, wanted.parameters.pool ?? poolOfSource(source, context));
  const volumeId = toVolumeId(pool.name, volumes.nodeKey, name);

  return {
    // A guest that has the source may have to be frozen for the copy, for which it cannot be shared.
    locks: source?.kind === 'volume' ? [volumeId, source.id] : [volumeId],
    shares: source?.kind === 'snapshot' ? [source.id] : [],
    fields: { volumeId, name, pool: pool.name, content: describeContent(source) },
    async run({ log }) {
      const existing = volumes.findByName(name);
      if (existing !== undefined) {
        requireSame(existing, wanted, pool);
        return { volume: toVolumeMessage(existing.spec, nodeId) };
      }
      const found = source && findSource(source, pool, context);
      const fsType = wanted.fsType ?? found?.fsType ?? DEFAULT_FILESYSTEM;
      if (found !== undefined && found.fsType !== fsType) {
        throw validate.invalid(
          'volume_content_source',
          `has ${found.fsType} on it, but the request asks for ${fsType}`,
        );
      }
      const needs = { fsType: wanted.isRaw ? undefined : fsType, sourceBytes: found?.sizeBytes ?? 0 };
      const spec: VolumeSpec = {
        ...{ volumeId, name, capacityBytes: planCapacity(wanted.range, needs), fsType },
        ...{ accessModes: wanted.accessModes, serial: toDiskSerial(volumeId), class: wanted.parameters.class },
        ...{ limits: wanted.parameters.limits, isEphemeral: false, createdAtMs: Date.now() },
        ...(found === undefined ? {} : { source: found.source }),
      };
      if (found !== undefined && spec.capacityBytes > found.sizeBytes) requireGrowable(spec.class, 'capacity_range');
      await createFrom(found?.source, { pool, spec }, context, log);
      log.info('volume created', { capacityBytes: spec.capacityBytes, fsType });
      return { volume: toVolumeMessage(spec, nodeId) };
    },
  };
}

function parseRequest(request: CreateVolumeRequest): WantedVolume {
  const name = validate.parseName(request.name, 'name');
  const range = validate.parseCapacityRange(request.capacity_range, 'capacity_range');
  const capabilities = validate.parseCapabilities(request.volume_capabilities, 'volume_capabilities');
  const parameters = parseParameters(request.parameters, 'parameters');
  const mutable = parseMutableParameters(request.mutable_parameters, 'mutable_parameters');
  if (Object.keys(mutable).length > 0) requireLimitable(parameters.class, 'mutable_parameters');
  return {
    name,
    range,
    accessModes: [...new Set(capabilities.map(({ accessMode }) => accessMode))],
    isRaw: capabilities.every(({ volumeMode }) => volumeMode === 'Block'),
    fsType: agreedFilesystem(parameters, capabilities, 'volume_capabilities'),
    parameters: { ...parameters, limits: { ...parameters.limits, ...mutable } },
    source: parseContentSource(request.volume_content_source, 'volume_content_source'),
  };
}

/** CSI 1.12: a volume that cannot be made where it must be accessible is RESOURCE_EXHAUSTED, and the scheduler's affair. */
function requireAccessible({ accessibility_requirements: requirement }: CreateVolumeRequest, nodeId: string): void {
  if (isAccessible(requirement, nodeId)) return;
  const asked = JSON.stringify(requirement?.requisite.map(({ segments }) => segments));
  const message = `accessibility_requirements.requisite is ${asked}, but the volumes of this driver are on node ${nodeId}`;
  throw new Fault('exhausted', message, { fields: { field: 'accessibility_requirements.requisite' } });
}

/** Limits are not compared: they may have been modified since. */
function requireSame(existing: FoundVolume, wanted: WantedVolume, pool: Pool): void {
  const { name, range, accessModes, source, parameters } = wanted;
  const blankDefault = source === undefined ? DEFAULT_FILESYSTEM : undefined;
  const differences = describeMismatch(existing, {
    ...{ name, range, accessModes, pool: pool.name, class: parameters.class },
    ...{ content: describeContent(source), fsType: wanted.fsType ?? blankDefault },
  });
  if (existing.spec.isEphemeral) differences.push("it is a pod's inline volume, and goes with the pod");
  if (differences.length === 0) return;
  const { volumeId } = existing.spec;
  const message = `volume ${JSON.stringify(name)} exists as ${volumeId}, but ${differences.join('; ')}`;
  throw new Fault('exists', message, { fields: { volumeId } });
}
