import { posix } from 'node:path';
import { Fault } from '../proto/fault.ts';
import type { VolumeMode } from '../proto/volume-attachment.ts';
import { ACCESS_MODES, type AccessMode, FILESYSTEMS, type Filesystem } from '../proto/volume-spec.ts';
import type { CapacityRangeMessage, VolumeCapabilityMessage } from './messages.ts';

/**
 * Fields of requests, checked. Every refusal is `invalid` and names the field in the words of CSI, so that the author
 * of a StorageClass or a sidecar finds it.
 */

/** CSI 1.12, "Size Limits". */
const MAX_STRING_BYTES = 128;
const MAX_PATH_BYTES = 4095;
/** NAME_MAX of Linux. */
const MAX_COMPONENT_BYTES = 255;
/** The control characters that CSI bans from names; `\p{Cc}` less tab, newline and carriage return. */
const BANNED_IN_NAMES = /(?![\t\n\r])\p{Cc}/u;

/** Linux: -1 means "no change" to chown(2). */
const MAX_GID = 2 ** 32 - 2;

export interface Capability {
  readonly volumeMode: VolumeMode;
  readonly accessMode: AccessMode;
  /** Undefined: whatever the volume has; always so for a block device. */
  readonly fsType: Filesystem | undefined;
  readonly mountFlags: readonly string[];
  /** VOLUME_MOUNT_GROUP. */
  readonly fsGroup: number | undefined;
}

export interface CapacityRange {
  readonly requiredBytes: bigint;
  /** Undefined: no limit. */
  readonly limitBytes: bigint | undefined;
}

export function invalid(field: string, problem: string): Fault {
  return new Fault('invalid', `${field} ${problem}`, { fields: { field } });
}

export function parseText(value: string, field: string): string {
  if (value === '') throw invalid(field, 'is required');
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_STRING_BYTES) throw invalid(field, `has ${bytes} bytes, but CSI allows ${MAX_STRING_BYTES}`);
  return value;
}

export function parseName(value: string, field: string): string {
  if (BANNED_IN_NAMES.test(parseText(value, field))) throw invalid(field, 'has a control character');
  return value;
}

/** Absolute, without `.`, `..`, doubled or trailing slashes: the record's key and the look-up in the mount table need one spelling. */
export function parsePath(value: string, field: string): string {
  if (value === '') throw invalid(field, 'is required');
  if (Buffer.byteLength(value) > MAX_PATH_BYTES) throw invalid(field, `is longer than ${MAX_PATH_BYTES} bytes`);
  const path = value.replace(/\/+$/, '');
  if (!path.startsWith('/') || path.includes('\0') || posix.normalize(path) !== path) {
    throw invalid(field, `is ${JSON.stringify(value)}, but must be an absolute path without ".", ".." or "//"`);
  }
  if (path.split('/').some((component) => Buffer.byteLength(component) > MAX_COMPONENT_BYTES)) {
    throw invalid(field, `has a component of more than ${MAX_COMPONENT_BYTES} bytes`);
  }
  return path;
}

/** A well-formed capability that this driver has, or why it has not: ValidateVolumeCapabilities answers that politely. */
export type CheckedCapability =
  | { readonly supported: true; readonly capability: Capability }
  | { readonly supported: false; readonly field: string; readonly problem: string };

export function checkCapability(message: VolumeCapabilityMessage | null, field: string): CheckedCapability {
  if (message === null) throw invalid(field, 'is required');
  const { access_type, mount, access_mode } = message;
  if (access_type === undefined) throw invalid(`${field}.access_type`, 'is required (mount or block)');
  if (access_mode === null) throw invalid(`${field}.access_mode`, 'is required');
  if (access_mode.mode === 'UNKNOWN') throw invalid(`${field}.access_mode.mode`, 'is required');

  const lacks = (part: string, problem: string): CheckedCapability => ({
    supported: false,
    field: `${field}.${part}`,
    problem,
  });
  const accessMode = ACCESS_MODES.find((candidate) => candidate === access_mode.mode);
  if (accessMode === undefined) {
    const problem = `is ${access_mode.mode}, but a volume lives on one node (${ACCESS_MODES.join(', ')})`;
    return lacks('access_mode.mode', problem);
  }
  if (mount === null || mount === undefined) {
    const none = { fsType: undefined, mountFlags: [], fsGroup: undefined };
    return { supported: true, capability: { volumeMode: 'Block', accessMode, ...none } };
  }
  const fsGroup = parseGroup(mount.volume_mount_group, `${field}.mount.volume_mount_group`);
  const fsType = FILESYSTEMS.find((candidate) => candidate === mount.fs_type);
  if (fsType === undefined && mount.fs_type !== '') return lacks('mount.fs_type', unknownFilesystem(mount.fs_type));
  return {
    supported: true,
    capability: { volumeMode: 'Filesystem', accessMode, fsType, mountFlags: mount.mount_flags, fsGroup },
  };
}

/** A number: names of groups are the pod's own, and mean nothing here. */
function parseGroup(value: string, field: string): number | undefined {
  if (value === '') return undefined;
  if (!/^\d{1,10}$/.test(value) || Number(value) > MAX_GID) {
    throw invalid(field, `is ${JSON.stringify(value)}, but must be the number of a group, at most ${MAX_GID}`);
  }
  return Number(value);
}

export function parseCapability(message: VolumeCapabilityMessage | null, field: string): Capability {
  const checked = checkCapability(message, field);
  if (!checked.supported) throw invalid(checked.field, checked.problem);
  return checked.capability;
}

export function parseCapabilities(messages: readonly VolumeCapabilityMessage[], field: string): Capability[] {
  requireSome(messages, field);
  return messages.map((message, index) => parseCapability(message, `${field}[${index}]`));
}

export function requireSome(messages: readonly unknown[], field: string): void {
  if (messages.length === 0) throw invalid(field, 'is required');
}

/** Empty is undefined: the driver's choice. */
export function parseFilesystem(value: string | undefined, field: string): Filesystem | undefined {
  if (value === undefined || value === '') return undefined;
  const known = FILESYSTEMS.find((candidate) => candidate === value);
  if (known !== undefined) return known;
  throw invalid(field, unknownFilesystem(value));
}

function unknownFilesystem(name: string): string {
  return `is ${JSON.stringify(name)}, but this driver makes ${FILESYSTEMS.join(', ')}`;
}

export function parseCapacityRange(message: CapacityRangeMessage | null, field: string): CapacityRange {
  if (message === null) return { requiredBytes: 0n, limitBytes: undefined };
  const requiredBytes = BigInt(message.required_bytes);
  const limitBytes = BigInt(message.limit_bytes);
  if (requiredBytes < 0n) throw invalid(`${field}.required_bytes`, 'is negative');
  if (limitBytes < 0n) throw invalid(`${field}.limit_bytes`, 'is negative');
  return { requiredBytes, limitBytes: limitBytes === 0n ? undefined : limitBytes };
}
