import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeQemu } from './qemu-10.ts';

/** In place of the C library's loader: says what it is and what it was called with. */
const LOADER = '#!/bin/sh\nprintf "%s\\n" "$$" "$0" "$QEMU_MODULE_DIR" "$@"\n';

let scratch: string;
let directory: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-qemu-10-'));
  const [tree, made] = [join(scratch, 'tree'), join(scratch, 'made')];
  for (const path of ['usr/bin/qemu-system-x86_64', 'usr/bin/passwd', 'usr/share/qemu/a', 'usr/share/seabios/b']) {
    await writeProgram(join(tree, path), '');
  }
  await writeProgram(join(tree, 'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'), LOADER);
  await takeQemu(tree, made);
  // As the cache does, when an entry is whole.
  directory = join(scratch, 'final');
  await rename(made, directory);
});
afterEach(() => rm(scratch, { recursive: true }));

async function writeProgram(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { mode: 0o755 });
}

describe('QEMU 10', () => {
  it('runs on what is in its directory, as the process that was started', async () => {
    const child = execa(join(directory, 'bin/qemu-system-x86_64'), ['-name', 'a b', '']);
    const [pid, program, modules, ...args] = (await child).stdout.split('\n');
    expect(pid).toBe(String(child.pid));
    const root = `${directory}/bin/..`;
    expect(program).toBe(`${root}/loader/qemu-system-x86_64`);
    expect(modules).toBe(`${root}/usr/lib/x86_64-linux-gnu/qemu`);
    expect(args).toEqual([
      ...['--inhibit-cache', '--library-path', `${root}/usr/lib/x86_64-linux-gnu`],
      ...['--argv0', `${directory}/bin/qemu-system-x86_64`, `${root}/usr/bin/qemu-system-x86_64`],
      ...['-L', `${root}/usr/share/qemu`, '-L', `${root}/usr/share/seabios`, '-name', 'a b', ''],
    ]);
  });

  it('brings no other program of its packages', () => {
    expect(existsSync(join(directory, 'usr/bin/passwd'))).toBe(false);
  });
});
