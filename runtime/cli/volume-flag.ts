import { Fault } from '../../proto/fault.ts';

export interface VolumeFlag {
  readonly targetPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  /** Part of the volume that is shown; empty: all of it. */
  readonly subPath: string;
  /** To be a device node. */
  readonly isDevice: boolean;
}

/**
 * `TARGET[//SUB]:/path[:ro]`: TARGET is where NodePublishVolume put the volume on the host, SUB the part of the volume
 * that is shown, /path where the container sees it. None of them may hold a `:`.
 */
export function parseVolumeFlag(value: string): VolumeFlag {
  const complain = complainer('volume', value, 'TARGET[//SUB]:/path[:ro]');
  const { source, ...place } = parsePlace(value, complain);
  const cut = source.indexOf('//', 1);
  const subPath = cut < 0 ? '' : source.slice(cut).replace(/^\/+|\/+$/g, '');
  if (subPath.split('/').includes('..')) throw complain('SUB must lie in the volume, without ".."');
  return { ...place, targetPath: parseTarget(cut < 0 ? source : source.slice(0, cut)), subPath, isDevice: false };
}

/** `TARGET:/dev/name[:ro]`: a volume that NodePublishVolume put at TARGET in Block mode, as a device of the container. */
export function parseDeviceFlag(value: string): VolumeFlag {
  const { source, ...place } = parsePlace(value, complainer('device', value, 'TARGET:/dev/name[:ro]'));
  return { ...place, targetPath: parseTarget(source), subPath: '', isDevice: true };
}

type Complain = (what: string) => Fault;

const complainer =
  (flag: string, value: string, form: string): Complain =>
  (what) =>
    new Fault('invalid', `--${flag} "${value}": ${what}; it reads ${form}`);

function parsePlace(value: string, complain: Complain) {
  const [source, containerPath, mode, ...rest] = value.split(':');
  if (rest.length > 0) throw complain('too many ":"');
  if (source === undefined || !source.startsWith('/')) throw complain('TARGET is no absolute path');
  if (containerPath === undefined || !containerPath.startsWith('/'))
    throw complain('the path in the container is no absolute path');
  if (mode !== undefined && mode !== 'ro' && mode !== 'rw') throw complain(`"${mode}" is neither ro nor rw`);
  return { source, containerPath, readOnly: mode === 'ro' };
}

/** As CSI recorded it: without the slash that a shell's completion adds. */
const parseTarget = (path: string): string => path.replace(/(?<=.)\/+$/, '');
