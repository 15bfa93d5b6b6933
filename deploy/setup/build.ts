import type { GuestBase } from '../guest-image/guest-base.ts';
import { copyCsiProtos } from './csi-protos.ts';
import { writeGuestOutput } from './guest-output.ts';
import { withMachineLock } from './machine-lock.ts';
import { buildNative } from './native-build.ts';
import { bundleNodeProgram } from './node-bundle.ts';
import { timed } from './progress.ts';
import { setUp } from './setup.ts';

const AGENT = 'dist/guest/berth-agent';

/**
 * Everything in dist/. Bundling takes a moment and is always done; linking and publishing are skipped when they would
 * yield what is there. Two builds of one checkout wait for each other.
 */
export async function build(toolchain: string, guestBase: GuestBase): Promise<void> {
  await withMachineLock('node_modules/.cache/berth/build.lock', () =>
    timed('build', async () => {
      await bundleNodeProgram('runtime/cli/main.ts', 'dist/berth.js');
      await bundleNodeProgram('csi/main.ts', 'dist/berth-csi.js');
      await copyCsiProtos('dist');
      await buildNative({ entry: 'csi/host/main.ts', output: 'dist/berth-csi-host' }, toolchain);
      await buildNative({ entry: 'cni/main.ts', output: 'dist/cni/berth' }, toolchain);
      await buildNative({ entry: 'runtime/shim/main.ts', output: 'dist/shim/containerd-shim-berth-v2' }, toolchain);
      await buildNative({ entry: 'runtime/guest/main.ts', output: AGENT }, toolchain);
      await writeGuestOutput(guestBase, AGENT, 'dist/guest');
    }),
  );
}

/** `npm run build`, and what demo and test do first. */
export async function main(): Promise<number> {
  const { toolchain, guestBase } = await setUp();
  await build(toolchain, guestBase);
  return 0;
}
