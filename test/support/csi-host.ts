import { resolve } from 'node:path';
import { withMachineLock } from '../../deploy/setup/machine-lock.ts';
import { buildNative } from '../../deploy/setup/native-build.ts';
import { ensureToolchain } from '../../deploy/setup/toolchain.ts';

const DIRECTORY = resolve('node_modules/.cache/berth/csi-host');

/** Absolute path of berth-csi-host, built from source as the build does it, anew only when its source has changed. */
export async function buildCsiHost(): Promise<string> {
  const output = `${DIRECTORY}/berth-csi-host`;
  await withMachineLock(`${DIRECTORY}/lock`, async () => {
    await buildNative({ entry: 'csi/host/main.ts', output }, await ensureToolchain());
  });
  return output;
}
