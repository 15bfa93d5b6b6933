import { Fault } from '../../proto/fault.ts';
import type { Files } from './port.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** The kernel's name for this boot of the host. */
export async function readBootId(files: Pick<Files, 'readFile'>): Promise<string> {
  const bytes = await files.readFile(BOOT_ID);
  if (bytes === undefined) throw new Fault('environment', `${BOOT_ID} is not there: mount /proc`);
  return new TextDecoder().decode(bytes).trim();
}
