import { Fault } from '../../proto/fault.ts';

export interface VolumeFlag {
  readonly targetPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  /** Part of the volume that is shown; empty: all of it. */
  readonly subPath: string;
}

/**
 * `TARGET:/path[:ro]`: TARGET is where NodePublishVolume put the volume on the host, /path where the container sees it.
 * Neither may hold a `:`.
 */
export function parseVolumeFlag(value: string): VolumeFlag {
  const [targetPath, containerPath, mode, ...rest] = value.split(':');
  const complain = (what: string) => new Fault('invalid', `--volume "${value}": ${what}; it reads TARGET:/path[:ro]`);
  if (rest.length > 0) throw complain('too many ":"');
  if (targetPath === undefined || !targetPath.startsWith('/')) throw complain('TARGET is no absolute path');
  if (containerPath === undefined || !containerPath.startsWith('/'))
    throw complain('the path in the container is no absolute path');
  if (mode !== undefined && mode !== 'ro' && mode !== 'rw') throw complain(`"${mode}" is neither ro nor rw`);
  return { targetPath, containerPath, readOnly: mode === 'ro', subPath: '' };
}
