import { parseBoolean } from '../parameter-values.ts';
import { invalid } from '../validate.ts';

/** What a VolumeSnapshotClass may say. */
export interface SnapshotParameters {
  /** Where a pool has no instant snapshots: copy a volume that no VM has, byte by byte. */
  readonly allowCopy: boolean;
}

const ALLOW_COPY = 'allowCopy';
/** external-snapshotter adds names with --extra-create-metadata: of no consequence for the snapshot. */
const IGNORED = /^csi\.storage\.k8s\.io\/volume(group)?snapshot(content)?\/(name|namespace)$/;

export function parseSnapshotParameters(
  parameters: Readonly<Record<string, string>>,
  field: string,
): SnapshotParameters {
  const { [ALLOW_COPY]: allowCopy, ...rest } = parameters;
  requireNoneBut(rest, field, `is unknown; this driver takes ${ALLOW_COPY}`);
  return { allowCopy: allowCopy !== undefined && parseBoolean(allowCopy, `${field}["${ALLOW_COPY}"]`) };
}

/** Of a VolumeGroupSnapshotClass, which has nothing to say: a group is taken at one instant, or not at all. */
export function checkGroupParameters(parameters: Readonly<Record<string, string>>, field: string): void {
  requireNoneBut(parameters, field, 'is unknown; group snapshots of this driver take no parameters');
}

function requireNoneBut(parameters: Readonly<Record<string, string>>, field: string, problem: string): void {
  const unknown = Object.keys(parameters).find((key) => !IGNORED.test(key));
  if (unknown !== undefined) throw invalid(`${field}["${unknown}"]`, problem);
}
