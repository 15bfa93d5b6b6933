import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PROTOS } from '../../csi/load-proto.ts';
import { placeFile } from './place-file.ts';

/** Puts the .proto files that berth-csi reads where it looks for them: `proto/` in the directory of its bundle. */
export async function copyCsiProtos(directory: string): Promise<void> {
  for (const file of Object.keys(PROTOS)) {
    await placeFile(join(directory, 'proto', file), 0o644, (temporary) => copyFile(join('proto', file), temporary));
  }
}
