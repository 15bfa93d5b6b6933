import * as v from 'valibot';
import { parseContainerId, parseDiskSerial, parsePodUid, parseSandboxId, parseVolumeId } from './ids.ts';
import { absolutePath, count, defineRecord, filled, id } from './record.ts';
import { VOLUME_MODES } from './volume-attachment.ts';

export const SANDBOX_STATES = ['creating', 'running', 'stopping', 'stopped', 'failed'] as const;
export type SandboxState = (typeof SANDBOX_STATES)[number];

/** pid and start time (field 22 of /proc/PID/stat): together they name a process even after the pid is reused. */
export const processIdentitySchema = v.strictObject({ pid: count, startTicks: count });
export type ProcessIdentity = v.InferOutput<typeof processIdentitySchema>;

/**
 * /run/berth/pods/<sandbox id>/pod.json: one pod VM. Written by the pod's shim alone, removed when the pod has ended.
 * Read by the CLI, and by a new shim of the id when the one that wrote it was killed: it takes the record over.
 */
export const sandboxRecord = defineRecord('sandbox', 3, {
  id: id(parseSandboxId),
  podUid: id(parsePodUid),
  state: v.picklist(SANDBOX_STATES),
  /** What the shim was started with: the main container's, or its sandbox's. */
  bundle: absolutePath,
  netnsPath: v.optional(absolutePath),
  createdAtMs: count,
  shim: processIdentitySchema,
  vmm: v.optional(processIdentitySchema),
  /** What the planner chose for each source, and why (design rule: transport never changes silently). */
  choices: v.array(v.strictObject({ source: filled, chosen: filled, reason: filled })),
  /** One entry for each place of a container that shows one; disk and mode are the volume's. */
  volumes: v.array(
    v.strictObject({
      volumeId: id(parseVolumeId),
      containerId: id(parseContainerId),
      containerPath: filled,
      serial: id(parseDiskSerial),
      volumeMode: v.picklist(VOLUME_MODES),
      /** The whole disk is read-only in the VM. */
      readOnly: v.boolean(),
    }),
  ),
  interfaces: v.array(v.strictObject({ name: filled, addresses: v.array(v.string()) })),
  /**
   * What a shim needs that takes the place of a killed one; there as soon as the state is `running`, the main container
   * first. The streams are as in shim.ts, `stdioId` is their number on the stdio channel; `isStartAsked` is written before
   * the guest is asked to start the container.
   */
  containers: v.array(
    v.strictObject({
      id: id(parseContainerId),
      bundle: absolutePath,
      stdioId: count,
      stdin: v.string(),
      stdout: v.string(),
      stderr: v.string(),
      isStartAsked: v.boolean(),
    }),
  ),
  /** Why it is `failed`, for a person. */
  failure: v.optional(v.string()),
});
export type Sandbox = ReturnType<typeof sandboxRecord.decode>;
export type SandboxContainer = Sandbox['containers'][number];
