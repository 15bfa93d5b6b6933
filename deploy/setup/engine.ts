import { join } from 'node:path';
import { ensureCached } from './cache.ts';
import { downloadSource } from './debian-source.ts';
import { queryPackages } from './dpkg-query.ts';
import { runInToolchain } from './toolchain.ts';

/** The engine's library in its entry of the cache. */
export const ENGINE_FILE = 'engine.a';

const PARTS = ['quickjs', 'dtoa', 'libregexp', 'libunicode', 'cutils'];
/** What its Makefile says of the language. */
const FLAGS = ['-fwrapv', '-D_GNU_SOURCE', '-DCONFIG_VERSION=\\"$(cat VERSION)\\"'];

/** How the engine is compiled. */
export interface EngineVariant {
  /** Of the cache entry. */
  readonly name: string;
  readonly title: string;
  /** Compiler and its arguments beside the usual ones. */
  readonly compiler: readonly string[];
}

/**
 * A directory of the cache with the engine, compiled from the source package that Debian built the toolchain's library
 * from: of the same version, so that it runs the bytecode which that library makes.
 */
export async function ensureEngine(toolchain: string, { name, title, compiler }: EngineVariant): Promise<string> {
  const [[source = '', version = ''] = []] = await queryPackages(
    ['source:Package', 'source:Version'],
    ['libquickjs'],
    join(toolchain, 'var/lib/dpkg'),
  );
  const script = compileScript(compiler);
  return ensureCached({
    name,
    title,
    inputs: [toolchain, source, version, script],
    fill: async (directory) => {
      await downloadSource(directory, source, version);
      await runInToolchain(toolchain, directory, ['sh', '-ec', script]);
    },
  });
}

function compileScript(compiler: readonly string[]): string {
  const compile = [...compiler, ...FLAGS].join(' ');
  return [
    'mkdir engine packaging',
    'tar -C engine --strip-components=1 -xf *.orig.tar.*',
    'tar -C packaging -xf *.debian.tar.*',
    // Debian's patches are for the Makefile, which is not used here. One of the engine itself would have to be applied.
    "if grep '^+++ .*\\.[ch]$' packaging/debian/patches/*; then echo 'Debian patches the engine' >&2; exit 1; fi",
    'cd engine',
    `for part in ${PARTS.join(' ')}; do ${compile} -c $part.c; done`,
    `ar rcs ../${ENGINE_FILE} ${PARTS.map((part) => `${part}.o`).join(' ')}`,
    'cd ..',
    `find . -mindepth 1 -maxdepth 1 ! -name ${ENGINE_FILE} -exec rm -r {} +`,
  ].join('\n');
}
