import { statfs } from 'node:fs/promises';

/** f_type of statfs(2), linux/magic.h. */
const FILE_SYSTEMS = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
]);

/** Names the file system that a path is on. */
export async function fileSystemOf(path: string): Promise<string> {
  const { type } = await statfs(path);
  return FILE_SYSTEMS.get(type) ?? `a file system of type 0x${type.toString(16)}`;
}
