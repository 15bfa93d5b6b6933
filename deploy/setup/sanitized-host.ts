import { join } from 'node:path';
import { ensureCached } from './cache.ts';
import { downloadSource } from './debian-source.ts';
import { queryPackages } from './dpkg-query.ts';
import { ENGINE_FILE, ensureNativeHost, type NativeHost } from './native-host.ts';
import { runInToolchain } from './toolchain.ts';

/** A report ends the program. */
const SANITIZERS = [
  ...['-O1', '-g', '-fno-omit-frame-pointer'],
  ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
];
const ENGINE_PARTS = ['quickjs', 'dtoa', 'libregexp', 'libunicode', 'cutils'];
/** What its Makefile says of the language. */
const ENGINE_FLAGS = ['-fwrapv', '-D_GNU_SOURCE', '-DCONFIG_VERSION=\\"$(cat VERSION)\\"'];

/**
 * The native host with AddressSanitizer (leaks too) and UndefinedBehaviorSanitizer in every line of C, the engine's
 * too. The sanitizers need a dynamic C library: programs find the toolchain's by its path, and so run outside of it.
 */
export async function ensureSanitizedHost(toolchain: string): Promise<NativeHost> {
  const loader = join(toolchain, 'usr/lib64/ld-linux-x86-64.so.2');
  const libraries = join(toolchain, 'usr/lib/x86_64-linux-gnu');
  return ensureNativeHost(toolchain, {
    name: 'sanitized-host',
    title: 'native host with sanitizers (C)',
    flags: SANITIZERS,
    linkFlags: [
      ...[...SANITIZERS, '-static-libasan', '-static-libubsan', '-static-libgcc', '-Wl,--wrap=_exit'],
      ...[`-Wl,--dynamic-linker=${loader}`, `-Wl,-rpath=${libraries}`],
    ],
    sources: ['leak-check.c'],
    engine: await ensureSanitizedEngine(toolchain),
  });
}

/** Compiled from the source package that Debian built the toolchain's library from. */
async function ensureSanitizedEngine(toolchain: string): Promise<string> {
  const [[name = '', version = ''] = []] = await queryPackages(
    ['source:Package', 'source:Version'],
    ['libquickjs'],
    join(toolchain, 'var/lib/dpkg'),
  );
  const script = engineScript();
  return ensureCached({
    name: 'sanitized-engine',
    title: 'engine with sanitizers (QuickJS, from source)',
    inputs: [toolchain, name, version, script],
    fill: async (directory) => {
      await downloadSource(directory, name, version);
      await runInToolchain(toolchain, directory, ['sh', '-ec', script]);
    },
  });
}

function engineScript(): string {
  const gcc = ['gcc', ...SANITIZERS, ...ENGINE_FLAGS].join(' ');
  return [
    'mkdir engine packaging',
    'tar -C engine --strip-components=1 -xf *.orig.tar.*',
    'tar -C packaging -xf *.debian.tar.*',
    // Debian's patches are for the Makefile, which is not used here. One of the engine itself would have to be applied.
    "if grep '^+++ .*\\.[ch]$' packaging/debian/patches/*; then echo 'Debian patches the engine' >&2; exit 1; fi",
    'cd engine',
    `for part in ${ENGINE_PARTS.join(' ')}; do ${gcc} -c $part.c; done`,
    `ar rcs ../${ENGINE_FILE} ${ENGINE_PARTS.map((part) => `${part}.o`).join(' ')}`,
    'cd ..',
    'find . -mindepth 1 -maxdepth 1 ! -name engine.a -exec rm -r {} +',
  ].join('\n');
}
