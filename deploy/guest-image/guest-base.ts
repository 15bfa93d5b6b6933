import { copyFile, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as v from 'valibot';
import { Fault } from '../../proto/fault.ts';
import { defineRecord, filled } from '../../proto/record.ts';
import { ensureCached } from '../setup/cache.ts';
import { fileSha256 } from '../setup/content-hash.ts';
import { DEBIAN_SOURCES, debianArguments, installDebianTree } from '../setup/debian.ts';
import { ensureToolchain, runInToolchain, TOOLCHAIN_WORK } from '../setup/toolchain.ts';
import { parseBzImage } from './bzimage.ts';
import { listFiles } from './file-list.ts';
import { BOOT_MODULES, GUEST_TREE, MAKE_IMMUTABLE, ROOT_MODULES } from './guest-contents.ts';
import { type ModuleIndex, moduleName, planModuleOrder } from './module-order.ts';
import { takePackages } from './packages.ts';

const guestBaseRecord = defineRecord('guest base', 1, {
  kernelVersion: filled,
  kernelSha256: filled,
  rootSha256: filled,
  /** File names in `modules/`, in the order of loading. */
  bootModules: v.array(filled),
  /** `name=version`, sorted. */
  packages: v.array(filled),
});

/** What a pod VM boots, all but the agent: made once per machine and list of packages. */
export type GuestBase = ReturnType<typeof guestBaseRecord.decode> & {
  readonly directory: string;
  /** ELF. */
  readonly kernel: string;
  /** erofs. */
  readonly root: string;
};

const FILES = { record: 'base.json', kernel: 'vmlinux', root: 'root.erofs', list: 'root.files', modules: 'modules' };
/** What decides the image's content, below the root of the repository, where all commands and tests run. */
const SOURCES = [
  'deploy/setup/debian.ts',
  ...['bzimage', 'file-list', 'guest-base', 'guest-contents', 'module-order', 'packages'].map(
    (name) => `deploy/guest-image/${name}.ts`,
  ),
];

/** Of the unfinished directory; gone from the finished one. */
const TREE = 'tree';
const KERNEL = 'kernel';

export async function ensureGuestBase(): Promise<GuestBase> {
  const toolchain = await ensureToolchain();
  const directory = await ensureCached({
    name: 'guest',
    title: 'guest image (kernel, modules, root)',
    inputs: await readInputs(toolchain),
    fill: (empty) => fillGuestBase(toolchain, empty),
  });
  const source = join(directory, FILES.record);
  const record = guestBaseRecord.decode(await readFile(source, 'utf8'), source);
  return { ...record, directory, kernel: join(directory, FILES.kernel), root: join(directory, FILES.root) };
}

/** Another package list, another step of the making or another toolchain makes another image. */
async function readInputs(toolchain: string): Promise<string[]> {
  const sources = await Promise.all(SOURCES.map((path) => readFile(path, 'utf8')));
  return [...debianArguments(GUEST_TREE), ...DEBIAN_SOURCES, basename(toolchain), ...sources];
}

async function fillGuestBase(toolchain: string, directory: string): Promise<void> {
  const tree = join(directory, TREE);
  await installDebianTree(tree, GUEST_TREE, { BERTH_OUT: directory });
  await runInToolchain(toolchain, tree, ['bash', '-c', MAKE_IMMUTABLE]);
  const packages = await takePackages(tree);
  const kernelVersion = await onlyName(join(directory, KERNEL, 'usr/lib/modules'));
  await extractKernel(toolchain, directory, kernelVersion);
  const bootModules = await installModules(toolchain, directory, kernelVersion);
  await rm(join(directory, KERNEL), { recursive: true });

  await writeFile(join(directory, FILES.list), `${(await listFiles(tree)).join('\n')}\n`);
  await makeRootImage(toolchain, directory);
  await rm(tree, { recursive: true });

  const kernelSha256 = await fileSha256(join(directory, FILES.kernel));
  const rootSha256 = await fileSha256(join(directory, FILES.root));
  const record = guestBaseRecord.encode({ kernelVersion, kernelSha256, rootSha256, bootModules, packages });
  await writeFile(join(directory, FILES.record), record);
}

/** The ELF kernel: QEMU enters it by its PVH note, a second sooner than it decompresses a bzImage under emulation. */
async function extractKernel(toolchain: string, directory: string, kernelVersion: string): Promise<void> {
  const image = await readFile(join(directory, KERNEL, 'boot', `vmlinuz-${kernelVersion}`));
  const { decompress, start, end, elfSizeBytes } = parseBzImage(image);
  await writeFile(join(directory, 'payload'), image.subarray(start, end));
  await runInToolchain(toolchain, directory, ['sh', '-c', `${decompress.join(' ')} <payload >${FILES.kernel}`]);
  await rm(join(directory, 'payload'));
  const elf = await readFile(join(directory, FILES.kernel));
  if (elf.length !== elfSizeBytes || elf.toString('latin1', 1, 4) !== 'ELF') {
    throw new Fault('malformed', `the kernel inside vmlinuz-${kernelVersion} is no ELF of ${elfSizeBytes} bytes`);
  }
}

/**
 * Decompresses the modules the guest needs into the root tree, with the indexes of depmod, and copies those of the boot
 * to `modules/`. Stripping takes Debian's signature off them: the kernel, which nothing else can reach in a guest, notes
 * a taint and boots a third of a second sooner under emulation. Returns the boot's in load order.
 */
async function installModules(toolchain: string, directory: string, kernelVersion: string): Promise<string[]> {
  const source = join(directory, KERNEL, 'usr/lib/modules', kernelVersion);
  const target = join(directory, TREE, 'usr/lib/modules', kernelVersion);
  await symlink('usr/lib', join(directory, KERNEL, 'lib'));
  await runInToolchain(toolchain, directory, ['depmod', '--basedir', `${TOOLCHAIN_WORK}/${KERNEL}`, kernelVersion]);
  const index = await readModuleIndex(source);

  for (const path of planModuleOrder(index, ROOT_MODULES)) {
    await mkdir(dirname(join(target, path)), { recursive: true });
    await copyFile(join(source, path), join(target, path));
  }
  for (const name of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order']) {
    await copyFile(join(source, name), join(target, name));
  }
  const below = `${TREE}/usr/lib/modules/${kernelVersion}`;
  const unpack = `find ${below} -name '*.xz' -exec xz --decompress {} + && find ${below} -name '*.ko' -exec strip -g {} +`;
  await runInToolchain(toolchain, directory, ['sh', '-c', unpack]);
  await runInToolchain(toolchain, directory, ['depmod', '--basedir', `${TOOLCHAIN_WORK}/${TREE}`, kernelVersion]);

  await mkdir(join(directory, FILES.modules));
  const bootModules: string[] = [];
  for (const path of planModuleOrder(await readModuleIndex(target), BOOT_MODULES)) {
    const name = `${moduleName(path)}.ko`;
    await copyFile(join(target, path), join(directory, FILES.modules, name));
    bootModules.push(name);
  }
  return bootModules;
}

async function readModuleIndex(directory: string): Promise<ModuleIndex> {
  const read = (name: string): Promise<string> => readFile(join(directory, `modules.${name}`), 'utf8');
  return {
    dep: await read('dep'),
    softdep: await read('softdep'),
    alias: await read('alias'),
    builtin: await read('builtin'),
  };
}

/**
 * Uncompressed: a VM reads pages of the file as they are from the host's cache, shared by all. Time, identity and
 * extended attributes of the building host stay out, so the same files are the same bytes.
 */
async function makeRootImage(toolchain: string, directory: string): Promise<void> {
  const partial = `${FILES.root}.new`;
  const fixed = ['-T', '0', '-U', '00000000-0000-0000-0000-000000000000', '-L', 'berth-root', '-x', '-1'];
  await runInToolchain(toolchain, directory, ['mkfs.erofs', '-d0', ...fixed, partial, TREE]);
  await rename(join(directory, partial), join(directory, FILES.root));
}

async function onlyName(directory: string): Promise<string> {
  const [name, ...others] = await readdir(directory);
  if (name === undefined || others.length > 0) {
    throw new Fault('internal', `${directory} must hold the modules of exactly one kernel`);
  }
  return name;
}
