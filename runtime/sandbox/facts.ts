import type { PodPaths, RunPaths } from '../../proto/paths.ts';
import { volumeTargets } from '../plan/mounts.ts';
import { rootPath } from '../plan/root.ts';
import type { PlanFacts, PlanRequest } from '../plan/types.ts';
import type { System } from '../system/port.ts';
import type { VmmCapabilities } from '../vmm/port.ts';
import { type PodNetns, readNetworks } from './attached-networks.ts';
import { readGuestImage } from './guest-image.ts';
import type { SandboxHost } from './host.ts';
import { type MountEntry, parseMountInfo } from './mount-info.ts';
import { readAttachments, readVolumes } from './published-volumes.ts';
import { parseTscKhz } from './tsc-frequency.ts';

export interface FactSources {
  readonly run: RunPaths;
  readonly paths: PodPaths;
  readonly guestDirectory: string;
  /** Undefined: the VM has no NIC. */
  readonly netns: PodNetns | undefined;
  readonly capabilities: VmmCapabilities;
}

/** Everything that the planner must know of this host for `request`; it reads, and changes nothing. */
export async function readFacts(
  host: Pick<SandboxHost, 'system' | 'describePath' | 'readLinkAlias'>,
  request: PlanRequest,
  { run, paths, guestDirectory, netns, capabilities }: FactSources,
): Promise<PlanFacts> {
  const { system } = host;
  const targets = volumeTargets(request);
  const mounted = parseMountInfo(await readText(system, '/proc/self/mountinfo'));
  return {
    volumes: await readVolumes(system, await readAttachments(system, run, targets)),
    networks: netns === undefined ? [] : await readNetworks(host, run, netns),
    mounts: new Map(targets.map((target) => [target, topmostAt(mounted, target)])),
    root: host.describePath(rootPath(request)),
    guest: { manifest: await readGuestImage(host, guestDirectory), directory: guestDirectory },
    capabilities,
    paths,
    tscKhz: parseTscKhz(await readText(system, '/proc/cpuinfo')),
  };
}

function topmostAt(mounts: readonly MountEntry[], path: string): MountEntry | undefined {
  return mounts.filter(({ mountPoint }) => mountPoint === path).at(-1);
}

async function readText(system: System, path: string): Promise<string> {
  return new TextDecoder().decode((await system.readFile(path)) ?? new Uint8Array(0));
}
