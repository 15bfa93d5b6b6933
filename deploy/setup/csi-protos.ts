import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PROTOS } from '../../csi/load-proto.ts';

/** Puts the .proto files that berth-csi reads where it looks for them: `proto/` in the directory of its bundle. */
export async function copyCsiProtos(directory: string): Promise<void> {
  const protos = join(directory, 'proto');
  await mkdir(protos, { recursive: true });
  for (const file of Object.keys(PROTOS)) await copyFile(join('proto', file), join(protos, file));
}
