import { sys } from '../system/native/sys.ts';
import { awaitFound } from './await-found.ts';
import { readText } from './files.ts';

const APPEARS_WITHIN_MS = 10_000;

/** The device node of the disk with this serial, whatever its name and place on the bus: `/dev/vdb`. */
export async function awaitDisk(serial: string): Promise<string> {
  return awaitFound(`the disk with serial ${serial}`, APPEARS_WITHIN_MS, () => findDisk(serial));
}

function findDisk(serial: string): string | undefined {
  const name = sys.readdir('/sys/block').find((disk) => readText(`/sys/block/${disk}/serial`)?.trim() === serial);
  return name !== undefined && sys.stat(`/dev/${name}`) !== null ? `/dev/${name}` : undefined;
}
