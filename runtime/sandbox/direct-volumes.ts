import * as v from 'valibot';
import { Fault } from '../../proto/fault.ts';
import { absolutePath, decodeWith, filled } from '../../proto/record.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import type { DirectVolume } from '../plan/types.ts';
import type { System } from '../system/port.ts';
import type { SandboxHost } from './host.ts';

/** Kata's own place, where drivers that know nothing of berth leave their volumes (azuredisk, Longhorn). */
export const KATA_DIRECT_VOLUMES = '/run/kata-containers/shared/direct-volumes';

/** Kata Containers, src/runtime/pkg/direct-volume/utils.go: MountInfo. */
const mountInfo = v.looseObject({
  device: absolutePath,
  fstype: filled,
  metadata: v.nullish(v.record(v.string(), v.string()), {}),
  options: v.nullish(v.array(v.string()), []),
});

/** What other drivers left for Kata at any of the paths. */
export async function readDirectVolumes(
  host: Pick<SandboxHost, 'system' | 'locate' | 'describePath'>,
  root: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, DirectVolume>> {
  const found = new Map<string, DirectVolume>();
  for (const path of paths) {
    const file = `${root}/${toBase64Url(new TextEncoder().encode(path))}/mountInfo.json`;
    const bytes = await host.system.readFile(file);
    if (bytes === undefined) continue;
    const { device, fstype, metadata, options } = decodeWith(mountInfo, parseJson(bytes, file), file);
    await checkForeign(host.system, path, device);
    const deviceKind = kindOf(host, device);
    found.set(path, { device, deviceKind, fsType: fstype, metadata: metadata ?? {}, options: options ?? [] });
  }
  return found;
}

/** For stock Kata berth leaves a mountInfo.json of its own volumes: those have a lease, and come by their record or not at all. */
async function checkForeign(system: System, path: string, device: string): Promise<void> {
  const directory = device.slice(0, device.lastIndexOf('/'));
  if (!(await system.list(directory)).includes(VOLUME_FILES.lease)) return;
  const message = `${path}: ${device} is of a volume of berth that is not published there; publish it (NodePublishVolume)`;
  throw new Fault('precondition', message, { fields: { targetPath: path, device } });
}

function kindOf(host: Pick<SandboxHost, 'locate' | 'describePath'>, path: string): DirectVolume['deviceKind'] {
  const kind = host.describePath(path);
  if (kind !== 'other') return kind;
  return host.locate(path)?.device === undefined ? 'file' : 'block';
}

function parseJson(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new Fault('malformed', `${file} is not JSON`, { cause });
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** RFC 4648, section 5, with padding: the engine has no btoa. */
export function toBase64Url(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index < bytes.length; index += 3) {
    const [first = 0, second = 0, third = 0] = bytes.subarray(index, index + 3);
    const group = (first << 16) | (second << 8) | third;
    for (const shift of [18, 12, 6, 0]) text += ALPHABET[(group >> shift) & 63];
  }
  const padding = (3 - (bytes.length % 3)) % 3;
  return text.slice(0, text.length - padding) + '='.repeat(padding);
}
