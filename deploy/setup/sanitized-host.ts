import { join } from 'node:path';
import { ensureNativeHost, type NativeHost } from './native-host.ts';

/** A report ends the program. */
const SANITIZERS = [
  ...['-O1', '-g', '-fno-omit-frame-pointer'],
  ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
];

/**
 * The native host with AddressSanitizer (leaks too) and UndefinedBehaviorSanitizer in every line of C, the engine's
 * too. The sanitizers need a dynamic C library, and glibc: programs find the toolchain's by its path, and so run outside
 * of it.
 */
export async function ensureSanitizedHost(toolchain: string): Promise<NativeHost> {
  const loader = join(toolchain, 'usr/lib64/ld-linux-x86-64.so.2');
  const libraries = join(toolchain, 'usr/lib/x86_64-linux-gnu');
  return ensureNativeHost(toolchain, {
    name: 'sanitized',
    title: 'with sanitizers',
    compiler: ['gcc', ...SANITIZERS],
    libc: { name: 'glibc', debianPackage: 'libc6' },
    linkFlags: [
      ...[...SANITIZERS, '-static-libasan', '-static-libubsan', '-static-libgcc', '-Wl,--wrap=_exit'],
      ...[`-Wl,--dynamic-linker=${loader}`, `-Wl,-rpath=${libraries}`],
    ],
    imageRoomBytes: 0,
    sources: ['leak-check.c'],
  });
}
