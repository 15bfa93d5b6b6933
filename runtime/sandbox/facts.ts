import type { AcceleratorWish } from '../../proto/accelerator.ts';
import type { PodPaths, RunPaths } from '../../proto/paths.ts';
import { NO_POD } from '../../proto/volume-attachment.ts';
import { rootPath } from '../plan/root.ts';
import type { PlanFacts, PlanRequest } from '../plan/types.ts';
import type { MachineFacts } from '../plan/vm-spec.ts';
import type { Log } from '../system/log.ts';
import { tracedAreas } from '../system/trace.ts';
import type { VmmDriver } from '../vmm/port.ts';
import { chooseAccelerator } from './accelerator.ts';
import { type PodNetns, readNetworks } from './attached-networks.ts';
import { KATA_DIRECT_VOLUMES, readDirectVolumes } from './direct-volumes.ts';
import { readGuestImage } from './guest-image.ts';
import type { SandboxHost } from './host.ts';
import { areAllFound, isAskedFor, readPaths, readText } from './host-paths.ts';
import { readAttachments, readVolumes } from './published-volumes.ts';
import { parseTscKhz } from './tsc-frequency.ts';

export interface FactSources {
  readonly run: RunPaths;
  readonly paths: PodPaths;
  readonly guestDirectory: string;
  /** Undefined: the VM has no NIC. */
  readonly netns: PodNetns | undefined;
  readonly driver: VmmDriver;
  /** Path of the VMM's program; undefined: the first of the PATH. */
  readonly vmm: string | undefined;
  /** Throws when nobody waits for the facts any more. */
  readonly checkWanted: () => void;
  /** Where other drivers leave Kata's mountInfo.json; empty: Kata's own place. */
  readonly directVolumes: string;
  readonly log: Log;
}

type Host = Pick<SandboxHost, 'system' | 'describePath' | 'locate' | 'readLinkAliases' | 'tryLock'>;

/** Everything that the planner must know of this host for `request`; it changes nothing of the pod's. */
export async function readFacts(host: Host, request: PlanRequest, sources: FactSources): Promise<PlanFacts> {
  const { run, netns, log } = sources;
  const machine = await readMachine(host, request.accelerator, sources);
  const at = await readPaths(host, request);
  const { mounts, devices } = at;
  const read = (podUids?: readonly string[]) =>
    readAttachments(host.system, run, (one) => isAskedFor(request, at, one), podUids);
  const own = await read([request.podUid, NO_POD]);
  // The records of other pods can only explain what is not to be had.
  const isComplete = areAllFound(request, at, own.attachments);
  const { attachments, unreadable } = isComplete ? own : await read();
  const directRoot = sources.directVolumes === '' ? KATA_DIRECT_VOLUMES : sources.directVolumes;
  // A volume of berth may have a mountInfo.json as well, for stock Kata: its record is what counts.
  const foreign = [...mounts.keys()].filter((path) => !attachments.some(({ targetPath }) => targetPath === path));
  const direct = await readDirectVolumes(host, directRoot, foreign);
  for (const error of unreadable) {
    // What a path stands for is not to be guessed: one without a record may have this one.
    if (!areAllFound(request, at, attachments)) throw error;
    log.warn('a volume attachment of another path cannot be read', { error });
  }
  return {
    ...machine,
    volumes: await readVolumes(host.system, attachments),
    networks: netns === undefined ? [] : await readNetworks(host, run, netns, log),
    mounts,
    direct,
    devices,
    roots: new Map(request.containers.map(rootPath).map((path) => [path, host.describePath(path)])),
  };
}

/** What any VM on this host can be. */
export async function readMachine(
  host: Host,
  wish: AcceleratorWish,
  { run, paths, guestDirectory, driver, vmm, checkWanted }: Omit<FactSources, 'netns' | 'directVolumes' | 'log'>,
): Promise<MachineFacts> {
  const capabilities = await driver.probe();
  const guest = { manifest: await readGuestImage(host, guestDirectory), directory: guestDirectory };
  return {
    guest,
    capabilities,
    accelerator: await chooseAccelerator(host, wish, { run, driver, vmm, capabilities, guest, checkWanted }),
    trace: tracedAreas(),
    paths,
    tscKhz: parseTscKhz(await readText(host.system, '/proc/cpuinfo')),
  };
}
