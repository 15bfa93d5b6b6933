import type { VolumeClass, VolumeLimits } from '../../proto/volume-class.ts';
import type { VolumeSpec } from '../../proto/volume-spec.ts';
import { formatTable } from './format-table.ts';
import type { VolumeView } from './list-volumes.ts';

const HEADER = ['VOLUME', 'SIZE', 'FS', 'FORMATTED', 'USED BY', 'PUBLISHED FOR'];

export function formatVolumes(volumes: readonly VolumeView[]): string {
  return formatTable(
    HEADER,
    volumes.map(({ volumeId, spec, filesystem, usedBy, publications }) => [
      volumeId,
      spec === undefined ? '-' : formatSize(spec.capacityBytes),
      spec?.fsType ?? '-',
      filesystem?.state ?? '-',
      usedBy.join(', ') || '-',
      publications.map(({ podUid }) => podUid).join(', ') || '-',
    ]),
  );
}

/** One fact a line. */
export function formatVolume(volume: VolumeView): string {
  const { volumeId, directory, spec, filesystem, lastOwner, publications, usedBy, snapshots, copies } = volume;
  const facts: readonly (readonly [string, string])[] = [
    ['volume', volumeId],
    ['directory', directory],
    ['name', spec?.name ?? '(no spec.json)'],
    ['size', spec === undefined ? '-' : `${formatSize(spec.capacityBytes)} (${spec.capacityBytes} bytes)`],
    ['file system', spec?.fsType ?? '-'],
    ['serial', spec?.serial ?? '-'],
    ['access modes', spec?.accessModes.join(', ') ?? '-'],
    ['class', spec === undefined ? '-' : describeClass(spec.class)],
    ['limits', spec === undefined ? '-' : describeLimits(spec.limits)],
    ...(spec?.source === undefined ? [] : [['made of', describeSource(spec.source)] as const]),
    ['formatted', [filesystem?.state ?? '(no fs.json)', filesystem?.uuid ?? ''].join(' ').trim()],
    ...(filesystem?.problem === undefined ? [] : [['problem', filesystem.problem] as const]),
    ...snapshots.map(
      ({ snapshotId, createdAtMs, consistency, remark }) =>
        ['snapshot', [snapshotId, toTime(createdAtMs), consistency, remark].filter(Boolean).join(', ')] as const,
    ),
    ...copies.map((name) => ['copy', name] as const),
    ['used by', usedBy.join(', ') || 'no VM'],
    ['lease last taken', lastOwner === undefined ? 'never' : describeOwner(lastOwner)],
    ...publications.map(({ podUid, targetPath, readOnly, accessMode }): readonly [string, string] => [
      'published',
      `for pod ${podUid} at ${targetPath}, ${accessMode}${readOnly ? ', read-only' : ''}`,
    ]),
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

const toTime = (atMs: number): string => new Date(atMs).toISOString();

const describeClass = ({ provisioning, cache, aio, queues, iothread, discard, consumer }: VolumeClass): string =>
  [
    provisioning,
    `cache ${cache}`,
    `aio ${aio}`,
    queues === 0 ? 'a queue for each CPU' : `${queues} queues`,
    ...(iothread ? ['a thread of its own'] : []),
    discard ? 'discard' : 'no discard',
    ...(consumer === 'berth' ? [] : [`for ${consumer}`]),
  ].join(', ');

const describeLimits = ({ iops, bandwidthBytes }: VolumeLimits): string =>
  [
    ...(iops === 0 ? [] : [`${iops} operations/s`]),
    ...(bandwidthBytes === 0 ? [] : [`${formatSize(bandwidthBytes)}/s`]),
  ].join(', ') || 'none';

const describeSource = (source: NonNullable<VolumeSpec['source']>): string =>
  source.kind === 'snapshot' ? `snapshot ${source.snapshotId}` : `volume ${source.volumeId}`;

function describeOwner(owner: NonNullable<VolumeView['lastOwner']>): string {
  const words = 'purpose' in owner ? `: ${owner.purpose}` : ` by sandbox ${owner.sandboxId} of pod ${owner.podUid}`;
  return `${toTime(owner.takenAtMs)}${words}`;
}

/** The largest binary unit of which there is at least one, with one digit after the point where it is not whole. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit += 1) value /= 1024;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
