import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { Fault } from '../../proto/fault.ts';
import { ensureCached } from './cache.ts';
import { contained } from './contained.ts';
import { DEBIAN_SOURCES, type DebianTree, DOCUMENTATION_PATHS, debianArguments, installDebianTree } from './debian.ts';

/** Where `runInToolchain` binds the caller's directory inside the chroot. */
export const TOOLCHAIN_WORK = '/work';

const TREE: DebianTree = {
  variant: 'apt',
  packages: ['erofs-utils', 'gcc', 'kmod', 'libc6-dev', 'libquickjs', 'musl-tools', 'xz-utils', 'zstd'],
  excludedPaths: DOCUMENTATION_PATHS,
};

/** The path of a chroot of Debian trixie with compiler, QuickJS and the makers of the guest image. Never written to. */
export const ensureToolchain = (): Promise<string> =>
  ensureCached({
    name: 'toolchain',
    title: 'toolchain (compiler, QuickJS, erofs-utils in a chroot)',
    inputs: [...debianArguments(TREE), ...DEBIAN_SOURCES, TOOLCHAIN_WORK],
    fill: async (directory) => {
      await installDebianTree(directory, TREE);
      await mkdir(join(directory, TOOLCHAIN_WORK));
    },
  });

/**
 * Runs a program of the chroot with `directory` at TOOLCHAIN_WORK, which is also its working directory. The bind mount
 * lives in a mount namespace of its own: it ends with the program. Returns what the program printed.
 */
export async function runInToolchain(chroot: string, directory: string, argv: readonly string[]): Promise<string> {
  const script = 'mount --bind "$1" "$2$3" && root=$2 work=$3 && shift 3 && exec chroot "$root" env -C "$work" "$@"';
  const command = contained(['sh', '-c', script, 'sh', directory, chroot, TOOLCHAIN_WORK, ...argv]);
  const result = await execa(...command, {
    reject: false,
    stdin: 'ignore',
    env: { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  if (!result.failed) return result.stdout;
  throw new Fault('exec', `${argv[0]} failed in the toolchain`, {
    cause: new Error(result.stderr || result.shortMessage),
  });
}
