import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensureCached } from './cache.ts';
import { DEBIAN_SOURCES, type DebianTree, DOCUMENTATION_PATHS, debianArguments, installDebianTree } from './debian.ts';

const TREE: DebianTree = { variant: 'extract', packages: ['qemu-system-x86'], excludedPaths: DOCUMENTATION_PATHS };

const PROGRAM = 'usr/bin/qemu-system-x86_64';
const LIBRARIES = 'usr/lib/x86_64-linux-gnu';
/** What QEMU needs of the tree; the rest are programs, some of them set-uid, that nobody should find. */
const PARTS = [PROGRAM, LIBRARIES, 'usr/share/qemu', 'usr/share/seabios'];
/** The C library's program loader, by QEMU's name: it is what /proc/PID/exe of the process shows. */
const LOADER = 'loader/qemu-system-x86_64';
const WRAPPER = 'bin/qemu-system-x86_64';

/**
 * Runs QEMU on the libraries, modules and firmware that it was built with, wherever the tree is and beside whatever QEMU
 * the machine has. It replaces itself twice and opens nothing, so that the process, its descriptors and its namespaces
 * are those that its caller made.
 */
const SCRIPT = `#!/bin/sh
root=\${0%/*}/..
export QEMU_MODULE_DIR="$root/${LIBRARIES}/qemu"
exec "$root/${LOADER}" --inhibit-cache --library-path "$root/${LIBRARIES}" --argv0 "$0" \\
  "$root/${PROGRAM}" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"
`;

/** The path of QEMU 10, of Debian trixie, as a program of this machine: for tests, beside the QEMU that pods get. */
export async function ensureQemu10(): Promise<string> {
  const directory = await ensureCached({
    name: 'qemu-trixie',
    title: 'QEMU 10 for the tests',
    inputs: [...debianArguments(TREE), ...DEBIAN_SOURCES, ...PARTS, LOADER, WRAPPER, SCRIPT],
    fill: async (partial) => {
      const tree = join(partial, 'tree');
      await installDebianTree(tree, TREE);
      await takeQemu(tree, partial);
      await rm(tree, { recursive: true });
    },
  });
  return join(directory, WRAPPER);
}

/** Moves QEMU out of a tree of its packages into `directory`, and makes it run there. */
export async function takeQemu(tree: string, directory: string): Promise<void> {
  for (const part of PARTS) {
    await mkdir(dirname(join(directory, part)), { recursive: true });
    await rename(join(tree, part), join(directory, part));
  }
  for (const file of [LOADER, WRAPPER]) await mkdir(dirname(join(directory, file)));
  await copyFile(join(directory, LIBRARIES, 'ld-linux-x86-64.so.2'), join(directory, LOADER));
  await writeFile(join(directory, WRAPPER), SCRIPT, { mode: 0o755 });
}
