import { createNodeSystem } from '../../system/node/system.ts';
import type { PoolFlag } from '../pool-flag.ts';
import type { Programs } from '../programs.ts';
import { examineCni } from './cni-chain.ts';
import { type Finding, isTrouble } from './finding.ts';
import { examineGuestImage } from './guest-image.ts';
import { examineKernel } from './kernel.ts';
import { recordNetworkFeatures } from './network-features.ts';
import { examineNetworks } from './networks.ts';
import { examinePods } from './pods.ts';
import { examinePool } from './pools.ts';
import { examineRecords } from './records.ts';
import { examineVmm } from './vmm.ts';
import { examineVolumes } from './volumes.ts';

export interface DoctorPlaces {
  readonly programs: Programs;
  readonly guestDirectory: string;
  readonly runDirectory: string;
  readonly qemu: string | undefined;
  readonly pools: readonly PoolFlag[];
  readonly cniConfigurations: string;
}

/**
 * Everything there is to find. Changes nothing but the records of what `--accelerator auto` comes to, and of what the
 * kernel lacks for networks.
 */
export async function examine(places: DoctorPlaces): Promise<readonly Finding[]> {
  const { programs, guestDirectory, runDirectory, qemu, pools, cniConfigurations } = places;
  const system = createNodeSystem();
  const plugin = `${programs.cniDirectory}/berth`;
  const kernel = await examineKernel();
  const { networkFeatures } = kernel;
  if (networkFeatures !== undefined) await recordNetworkFeatures(system, runDirectory, networkFeatures);
  const guest = await examineGuestImage(guestDirectory);
  const bootable = guest.some(isTrouble) ? undefined : guestDirectory;
  const pooled: Finding[] = [];
  for (const pool of pools) pooled.push(...(await examinePool(pool)));
  return [
    ...kernel.findings,
    ...guest,
    ...(await examineVmm({ shim: programs.shim, qemu, guestDirectory: bootable, runDirectory })),
    ...pooled,
    ...(await examineCni(plugin, cniConfigurations)),
    ...(await examinePods(system, runDirectory, programs.shim)),
    ...(await examineVolumes(system, runDirectory)),
    ...(await examineNetworks(system, runDirectory, plugin)),
    ...(await examineRecords(runDirectory)),
  ];
}
