import { hostProbeRecord } from '../../proto/host-probe.ts';
import { runPaths } from '../../proto/paths.ts';
import { chooseAccelerator } from '../sandbox/accelerator.ts';
import { readGuestImage } from '../sandbox/guest-image.ts';
import { createNativeHost } from '../sandbox/native-host.ts';
import { silentLog } from '../system/log.ts';
import { createQemuDriver } from '../vmm/qemu/driver.ts';
import type { ProbeFlags } from './flags.ts';

/** What a pod would find on this host, as a record of proto/host-probe.ts. Faults are those that a pod would meet. */
export async function probe({ qemu, guestDirectory, runDirectory }: ProbeFlags): Promise<string> {
  const host = createNativeHost();
  const driver = createQemuDriver({ system: host.system, log: silentLog, binary: qemu });
  const capabilities = await driver.probe();
  const { version, accelerators, virtioBlk, nineP, ioUring } = capabilities;
  const vmm = { version, accelerators: [...accelerators], virtioBlk, nineP, ioUring };
  if (guestDirectory === undefined) return hostProbeRecord.encode({ vmm });
  const accelerator = await chooseAccelerator(host, 'auto', {
    run: runPaths(runDirectory),
    driver,
    vmm: qemu,
    capabilities,
    guest: { manifest: await readGuestImage(host, guestDirectory), directory: guestDirectory },
    checkWanted: () => {},
  });
  return hostProbeRecord.encode({ vmm, accelerator: { chosen: accelerator.chosen, reason: accelerator.reason } });
}
