import { join } from 'node:path';
import type { CsiNode } from './csi-node.ts';

/** Sparse, and more than any test writes. */
const SIZE = '8G';

/** XFS at the node's pool directory, in the node's mount namespace: it goes with the node. */
export async function mountXfsPool(node: CsiNode, { reflink } = { reflink: true }): Promise<void> {
  const image = join(node.scratch, 'pool.xfs');
  await must(node, 'truncate', '--size', SIZE, image);
  await must(node, 'mkfs.xfs', '-q', '-m', `reflink=${reflink ? 1 : 0}`, image);
  await must(node, 'mount', '-o', 'loop', image, node.pool);
}

async function must(node: CsiNode, ...command: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await node.run(...command);
  if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
}
