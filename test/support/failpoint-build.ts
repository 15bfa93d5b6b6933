import { copyFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { WITH_FAILPOINTS } from '../../deploy/setup/constants.ts';
import { copyCsiProtos } from '../../deploy/setup/csi-protos.ts';
import { withMachineLock } from '../../deploy/setup/machine-lock.ts';
import { buildNative } from '../../deploy/setup/native-build.ts';
import { bundleNodeProgram } from '../../deploy/setup/node-bundle.ts';
import { placeFile } from '../../deploy/setup/place-file.ts';
import { ensureToolchain } from '../../deploy/setup/toolchain.ts';
import { buildCsiHost } from './csi-host.ts';

/** Beside the build's output, never in it. Laid out as dist/ is. */
const DIRECTORY = resolve('node_modules/.cache/berth/failpoints');

/** Absolute path of the program with its failpoints in. Made anew only when its source has changed. */
export async function buildWithFailpoints(program: 'csi' | 'cni' | 'shim'): Promise<string> {
  return withMachineLock(join(DIRECTORY, 'lock'), () => BUILDS[program]());
}

const BUILDS = {
  async csi() {
    const output = join(DIRECTORY, 'berth-csi.js');
    await bundleNodeProgram('csi/main.ts', output, WITH_FAILPOINTS);
    const host = await buildCsiHost();
    await placeFile(join(DIRECTORY, 'berth-csi-host'), 0o755, (temporary) => copyFile(host, temporary));
    await copyCsiProtos(DIRECTORY);
    return output;
  },
  cni: () => buildBinary('cni/main.ts', 'cni/berth'),
  shim: () => buildBinary('runtime/shim/main.ts', 'shim/containerd-shim-berth-v2'),
} as const;

async function buildBinary(entry: string, name: string): Promise<string> {
  const output = join(DIRECTORY, name);
  await buildNative({ entry, output, constants: WITH_FAILPOINTS }, await ensureToolchain());
  return output;
}
