import { copyFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { ensureCached } from './cache.ts';
import { runInToolchain } from './toolchain.ts';

/** The static engine library of Debian's package libquickjs, inside the toolchain chroot. */
const ENGINE_LIBRARY = '/usr/lib/x86_64-linux-gnu/quickjs/libquickjs.a';

/** Below the root of the repository, where all commands and tests run. */
const SOURCES = 'runtime/engine';
const FLAGS = [
  ...['-O2', '-std=gnu11', '-D_GNU_SOURCE', '-isystem', '/usr/include/quickjs'],
  ...['-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter'],
];

export interface NativeHost {
  /** host.a, which is the C host without a program, compile, which makes bytecode, and an engine that was built for it. */
  readonly directory: string;
  readonly engineVersion: string;
  /** gcc's arguments that make a program of host.a. */
  readonly linkFlags: readonly string[];
  readonly engineLibrary: string;
}

/** What the C parts are compiled with. */
export interface HostVariant {
  /** Of the cache entry. */
  readonly name: string;
  readonly title: string;
  /** gcc's arguments beside the usual ones. */
  readonly flags: readonly string[];
  readonly linkFlags: readonly string[];
  /** C files beside the host's. */
  readonly sources?: readonly string[];
  /** Directory of the cache with an ENGINE_FILE of the same version; without it, the engine is Debian's. */
  readonly engine?: string;
}

/** The engine's library that a variant brings. */
export const ENGINE_FILE = 'engine.a';

const PRODUCT: HostVariant = {
  name: 'native-host',
  title: 'native host (C)',
  flags: [],
  linkFlags: ['-static', '-s'],
};

/** The C parts of every static binary, compiled once for each content of their sources and each engine. */
export async function ensureNativeHost(toolchain: string, variant: HostVariant = PRODUCT): Promise<NativeHost> {
  const { name, title, engine, linkFlags } = variant;
  const engineVersion = await readEngineVersion(toolchain);
  const engineLibrary = engine === undefined ? ENGINE_LIBRARY : ENGINE_FILE;
  const sources = (await readSources(variant.sources ?? [])).flat();
  const script = compileScript(engineVersion, variant.flags);
  const directory = await ensureCached({
    name,
    title,
    inputs: [toolchain, engine ?? '', script, linkFlags.join(' '), ...sources],
    fill: async (partial) => {
      if (engine !== undefined) await copyFile(join(engine, ENGINE_FILE), join(partial, ENGINE_FILE));
      await runInToolchain(toolchain, partial, ['sh', '-ec', script, 'sh', ...sources]);
    },
  });
  return { directory, engineVersion, linkFlags, engineLibrary };
}

/**
 * Takes pairs of file name and content as arguments, so that what is compiled is exactly what was hashed. The maker of
 * bytecode is always Debian's engine: bytecode depends on the version alone.
 */
function compileScript(engineVersion: string, flags: readonly string[]): string {
  const gcc = ['gcc', ...FLAGS].join(' ');
  const define = `-DENGINE_VERSION='"${engineVersion}"'`;
  return [
    'mkdir source',
    'while [ $# -gt 0 ]; do printf %s "$2" >"source/$1"; shift 2; done',
    `${gcc} source/compile.c -o compile ${ENGINE_LIBRARY} -lm`,
    'rm source/compile.c',
    `(cd source && ${gcc} ${flags.join(' ')} ${define} -c *.c)`,
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
  const status = await readFile(join(toolchain, 'var/lib/dpkg/status'), 'utf8');
  const entry = status.split('\n\n').find((text) => text.startsWith('Package: libquickjs\n'));
  const version = /^Version: (\d+)\.(\d+)\.(\d+)/m.exec(entry ?? '');
  if (version === null) {
    throw new Fault(
      'environment',
      `the toolchain ${toolchain} has no libquickjs; remove it and run npm run setup again`,
    );
  }
  return `quickjs ${version.slice(1, 4).join('-')}`;
}
