import { Fault } from '../../proto/fault.ts';
import { type GuestManifest, guestManifestRecord } from '../../proto/guest-manifest.ts';
import { recordFile } from '../system/record-file.ts';
import type { SandboxHost } from './host.ts';

/** What a VM boots. Fault `environment` naming the missing file and what makes it. */
export async function readGuestImage(
  host: Pick<SandboxHost, 'system' | 'describePath'>,
  directory: string,
): Promise<GuestManifest> {
  const path = `${directory}/manifest.json`;
  const manifest = await recordFile(host.system, guestManifestRecord, path, { durable: false }).load();
  if (manifest === undefined) throw missing('the guest image', path);
  const files = { kernel: manifest.kernel.file, initrd: manifest.initrd.file, 'root image': manifest.root.file };
  for (const [what, file] of Object.entries(files)) {
    const filePath = `${directory}/${file}`;
    if (host.describePath(filePath) !== 'other') throw missing(`the guest's ${what}`, filePath);
  }
  return manifest;
}

function missing(what: string, path: string): Fault {
  return new Fault('environment', `${what} is missing: there is no ${path}; "npm run build" makes it`, {
    fields: { path },
  });
}
