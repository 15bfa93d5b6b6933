import { copyFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { ensureCached } from './cache.ts';
import { queryPackages } from './dpkg-query.ts';
import { ENGINE_FILE, ensureEngine } from './engine.ts';
import { runInToolchain } from './toolchain.ts';

/** The static engine library of Debian's package libquickjs, inside the toolchain chroot: it makes the bytecode. */
const DEBIAN_ENGINE = '/usr/lib/x86_64-linux-gnu/quickjs/libquickjs.a';

/** Below the root of the repository, where all commands and tests run. */
const SOURCES = 'runtime/engine';
const FLAGS = [
  ...['-O2', '-std=gnu11', '-D_GNU_SOURCE', '-isystem', '/usr/include/quickjs'],
  ...['-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter'],
];

/** For the head of an image, which says that there is none. */
const LEAST_ROOM_BYTES = 4096;

export interface NativeHost {
  /** host.a, which is the C host without a program, compile, which makes bytecode, and ENGINE_FILE. */
  readonly directory: string;
  readonly engineVersion: string;
  /** Compiler and arguments that make a program of host.a and the engine. */
  readonly linker: readonly string[];
  readonly hasImages: boolean;
}

/** What engine and host are compiled with. */
export interface HostVariant {
  /** Of the cache entries. */
  readonly name: string;
  /** Behind "native host (C)", for a person. */
  readonly title: string;
  /** Compiler and its arguments beside the usual ones. */
  readonly compiler: readonly string[];
  readonly libc: { readonly name: string; readonly debianPackage: string };
  readonly linkFlags: readonly string[];
  /** For the heap that a program has when its modules are loaded; 0: each process loads them anew. */
  readonly imageRoomBytes: number;
  /** C files beside the host's. */
  readonly sources?: readonly string[];
}

/**
 * musl, and not glibc, which asks the processor about its caches before main(): each question leaves a virtual machine
 * for its host, and all of them take longer there than a CNI verb's own work. The kernel's headers come last, as musl
 * has none.
 */
const PRODUCT: HostVariant = {
  name: 'native',
  title: '',
  compiler: ['musl-gcc', '-O2', '-idirafter', '/usr/include', '-idirafter', '/usr/include/x86_64-linux-gnu'],
  libc: { name: 'musl', debianPackage: 'musl' },
  // The image's section comes after all others, and can change its length (app.S).
  linkFlags: ['-static', '-no-pie', '-s', '-Wl,--section-start=.image=0x10000000'],
  imageRoomBytes: 16 << 20,
};

/** The C parts of every static binary, compiled once for each content of their sources and each engine. */
export async function ensureNativeHost(toolchain: string, variant: HostVariant = PRODUCT): Promise<NativeHost> {
  const { name, title, compiler, libc, linkFlags, imageRoomBytes } = variant;
  const engine = await ensureEngine(toolchain, {
    name: `${name}-engine`,
    title: `engine (QuickJS, from source) ${title}`.trim(),
    compiler,
  });
  const engineVersion = await readEngineVersion(toolchain);
  const libcVersion = `${libc.name} ${await readVersion(toolchain, libc.debianPackage)}`;
  const sources = (await readSources(variant.sources ?? [])).flat();
  const script = compileScript({ ENGINE_VERSION: engineVersion, LIBC_VERSION: libcVersion }, compiler);
  const directory = await ensureCached({
    name: `${name}-host`,
    title: `native host (C) ${title}`.trim(),
    inputs: [toolchain, engine, script, linkFlags.join(' '), ...sources],
    fill: async (partial) => {
      await copyFile(join(engine, ENGINE_FILE), join(partial, ENGINE_FILE));
      await runInToolchain(toolchain, partial, ['sh', '-ec', script, 'sh', ...sources]);
    },
  });
  const room = Math.max(imageRoomBytes, LEAST_ROOM_BYTES);
  const linker = [...compiler, ...linkFlags, `-DIMAGE_ROOM=${room}`];
  return { directory, engineVersion, linker, hasImages: imageRoomBytes > 0 };
}

/**
 * Takes pairs of file name and content as arguments, so that what is compiled is exactly what was hashed. The maker of
 * bytecode is always Debian's engine: bytecode depends on the version alone.
 */
function compileScript(texts: Readonly<Record<string, string>>, compiler: readonly string[]): string {
  const [program = '', ...args] = compiler;
  const compile = [program, ...FLAGS, ...args].join(' ');
  const defines = Object.entries(texts).map(([name, text]) => `-D${name}='"${text}"'`);
  return [
    'mkdir source',
    'while [ $# -gt 0 ]; do printf %s "$2" >"source/$1"; shift 2; done',
    `gcc ${FLAGS.join(' ')} source/compile.c -o compile ${DEBIAN_ENGINE} -lm`,
    'rm source/compile.c',
    // Names of error numbers, which no C library but glibc has.
    `echo '#include <errno.h>' | ${compiler.join(' ')} -E -dM - |`,
    "  sed -n 's/^#define \\(E[A-Z0-9]*\\) [0-9]*$/X(\\1)/p' >source/errno-names.h",
    `(cd source && ${compile} ${defines.join(' ')} -c *.c)`,
    'ar rcs host.a source/*.o',
    'rm -r source',
  ].join('\n');
}

async function readSources(more: readonly string[]): Promise<[name: string, text: string][]> {
  const host = (await readdir(join(SOURCES, 'host'))).filter((name) => /\.[ch]$/.test(name)).sort();
  const names = ['compile.c', ...more, ...host.map((name) => join('host', name))];
  const paths = names.map((name) => join(SOURCES, name));
  return Promise.all(paths.map(async (path) => [path.slice(path.lastIndexOf('/') + 1), await readFile(path, 'utf8')]));
}

/** `quickjs 2025-04-26`, of Debian's version 2025.04.26-1: the library itself does not say. */
async function readEngineVersion(toolchain: string): Promise<string> {
  return `quickjs ${(await readVersion(toolchain, 'libquickjs')).replaceAll('.', '-')}`;
}

/** Upstream's part of a package's version. */
async function readVersion(toolchain: string, name: string): Promise<string> {
  const [[found = ''] = []] = await queryPackages(['Version'], [name], join(toolchain, 'var/lib/dpkg'));
  const version = /^\d+(\.\d+)+/.exec(found)?.[0];
  if (version !== undefined) return version;
  throw new Fault('environment', `the toolchain ${toolchain} has no ${name}; remove it and run npm run setup again`);
}
