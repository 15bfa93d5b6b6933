import { join } from 'node:path';
import type { World } from './world.ts';

/** Sparse, and more than any test writes. */
const SIZE = '8G';

/** XFS at the pool's directory, in the mount namespace of the world: it goes with the world. */
export async function mountXfsPool(
  { scratch, exec, pool }: Pick<World, 'scratch' | 'exec'> & { readonly pool: string },
  { reflink } = { reflink: true },
): Promise<void> {
  const image = join(scratch, 'pool.xfs');
  await exec('truncate', '--size', SIZE, image);
  await exec('mkfs.xfs', '-q', '-m', `reflink=${reflink ? 1 : 0}`, image);
  await exec('mount', '-o', 'loop', image, pool);
}
