import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../proto/fault.ts';
import { ensureCached } from './cache.ts';
import { runInToolchain, TOOLCHAIN_WORK } from './toolchain.ts';

/** The static engine library of Debian's package libquickjs, inside the toolchain chroot. */
export const ENGINE_LIBRARY = '/usr/lib/x86_64-linux-gnu/quickjs/libquickjs.a';

/** Below the root of the repository, where all commands and tests run. */
const SOURCES = 'runtime/engine';
const FLAGS = [
  ...['-O2', '-std=gnu11', '-D_GNU_SOURCE', '-isystem', '/usr/include/quickjs'],
  ...['-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter'],
];

export interface NativeHost {
  /** Directory of host.a, which is the C host without a program, and of compile, which makes bytecode. */
  readonly directory: string;
  readonly engineVersion: string;
}

/** The C parts of every static binary, compiled once for each content of their sources and each engine. */
export async function ensureNativeHost(toolchain: string): Promise<NativeHost> {
  const engineVersion = await readEngineVersion(toolchain);
  const files = await readSources();
  const script = compileScript(engineVersion);
  const directory = await ensureCached({
    name: 'native-host',
    title: 'native host (C)',
    inputs: [toolchain, script, ...files.flat()],
    fill: async (partial) => {
      await runInToolchain(toolchain, partial, ['sh', '-ec', script, 'sh', ...files.flat()]);
    },
  });
  return { directory, engineVersion };
}

/** Takes pairs of file name and content as arguments, so that what is compiled is exactly what was hashed. */
function compileScript(engineVersion: string): string {
  const define = `-DENGINE_VERSION='"${engineVersion}"'`;
  return [
    'mkdir source && cd source',
    'while [ $# -gt 0 ]; do printf %s "$2" >"$1"; shift 2; done',
    `gcc ${FLAGS.join(' ')} compile.c -o ../compile ${ENGINE_LIBRARY} -lm`,
    'rm compile.c',
    `gcc ${FLAGS.join(' ')} ${define} -c *.c`,
    'ar rcs ../host.a *.o',
    `cd ${TOOLCHAIN_WORK} && rm -r source`,
  ].join('\n');
}

async function readSources(): Promise<[name: string, text: string][]> {
  const host = (await readdir(join(SOURCES, 'host'))).filter((name) => /\.[ch]$/.test(name)).sort();
  const paths = [join(SOURCES, 'compile.c'), ...host.map((name) => join(SOURCES, 'host', name))];
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
