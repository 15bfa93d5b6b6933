import { formatTable } from './format-table.ts';
import type { Pod } from './list-pods.ts';

const HEADER = ['POD', 'STATE', 'AGE', 'VMM', 'CONTAINERS', 'ADDRESSES', 'VOLUMES'];

export function formatPods(pods: readonly Pod[], nowMs: number): string {
  return formatTable(
    HEADER,
    pods.map((pod) => [
      pod.id,
      pod.alive ? pod.state : 'dead',
      formatAge(nowMs - pod.createdAtMs),
      pod.vmm === undefined ? '-' : String(pod.vmm.pid),
      orDash(pod.containers.map(({ id }) => id)),
      orDash(pod.interfaces.flatMap(({ addresses }) => addresses)),
      orDash(pod.volumes.map((volume) => `${volume.volumeId} at ${formatPlace(volume, pod)}`)),
    ]),
  );
}

/** Of a pod with one container, the path says it. */
const formatPlace = (
  { containerId, containerPath }: Pod['volumes'][number],
  { containers }: Pick<Pod, 'containers'>,
): string => (containers.length > 1 ? `${containerId}:${containerPath}` : containerPath);

const orDash = (words: readonly string[]): string => (words.length === 0 ? '-' : words.join(', '));

/** The largest unit that fits, whole: `45s`, `12m`, `3h`, `9d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
