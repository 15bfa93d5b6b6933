import { build } from './build.ts';
import { packCni } from './pack-cni.ts';
import { report } from './progress.ts';
import { setUp } from './setup.ts';

/** What is published: the CNI plugin by itself. */
export async function main(): Promise<number> {
  const { toolchain, guestBase } = await setUp();
  await build(toolchain, guestBase);
  const { path, sha256 } = await packCni('dist/cni/berth', 'dist/release');
  report(`${path}  sha256 ${sha256}`);
  return 0;
}
