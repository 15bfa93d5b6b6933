import { Fault } from './fault.ts';

/**
 * Names that cross rooms, branded so that one cannot be passed for another. Each has one parse function: a value of the
 * branded type has been checked.
 */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** UID of a pod in the Kubernetes API; for pods without an API server, any name of the same alphabet. */
export type PodUid = Branded<'PodUid'>;
/** Id of a sandbox (one pod VM), chosen by the container engine or by `berth run`. */
export type SandboxId = Branded<'SandboxId'>;
/** Id of a container within its pod; in the guest it names a directory, a cgroup and crun's state. */
export type ContainerId = Branded<'ContainerId'>;
/** Container id of the CNI specification: the sandbox id as the container engine passes it. */
export type CniContainerId = Branded<'CniContainerId'>;
/** CSI volume id, `<pool>.<node key>.<name>`, at most 128 bytes (CSI 1.12, "Size Limits"). */
export type VolumeId = Branded<'VolumeId'>;
/** CSI snapshot id, of the same form as a volume id; the name begins with `s_`. */
export type SnapshotId = Branded<'SnapshotId'>;
/** Name of a CNI network configuration. */
export type NetworkName = Branded<'NetworkName'>;
/** Linux interface name: at most 15 bytes, no `/`, `:`, white space or control character, not `.` or `..`. */
export type IfName = Branded<'IfName'>;
/** Serial of a virtio-blk device: 1 to 20 bytes (VIRTIO_BLK_ID_BYTES). */
export type DiskSerial = Branded<'DiskSerial'>;

function parser<Id extends string>(noun: string, pattern: RegExp, maxBytes: number, rule: string) {
  return (value: unknown, field: string = noun): Id => {
    if (typeof value !== 'string' || !pattern.test(value) || new TextEncoder().encode(value).length > maxBytes) {
      throw new Fault('invalid', `${field} is ${JSON.stringify(value)}, but must be ${rule}`, { fields: { field } });
    }
    return value as Id;
  };
}

const WORD = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const WORD_RULE = 'letters, digits, "_", "." and "-", beginning with a letter or digit';

export const parsePodUid = parser<PodUid>('pod UID', WORD, 128, `at most 128 ${WORD_RULE}`);
export const parseSandboxId = parser<SandboxId>('sandbox id', WORD, 64, `at most 64 ${WORD_RULE}`);
export const parseContainerId = parser<ContainerId>('container id', WORD, 128, `at most 128 ${WORD_RULE}`);
export const parseCniContainerId = parser<CniContainerId>('CNI_CONTAINERID', WORD, 128, `at most 128 ${WORD_RULE}`);
export const parseNetworkName = parser<NetworkName>('network name', WORD, 80, `at most 80 ${WORD_RULE}`);
export const parseVolumeId = parser<VolumeId>('volume id', WORD, 128, `at most 128 ${WORD_RULE}`);
export const parseSnapshotId = parser<SnapshotId>('snapshot id', WORD, 128, `at most 128 ${WORD_RULE}`);
export const parseIfName = parser<IfName>(
  'interface name',
  /^(?!\.{1,2}$)[^/:\s\p{Cc}\p{Cs}]+$/u,
  15,
  '1 to 15 bytes without "/", ":", white space or control characters',
);
export const parseDiskSerial = parser<DiskSerial>('disk serial', WORD, 20, `at most 20 ${WORD_RULE}`);
