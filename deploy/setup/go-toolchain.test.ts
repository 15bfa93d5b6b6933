import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isNewEnough, planProxies, takeRelease } from './go-toolchain.ts';

describe('isNewEnough', () => {
  it.each([
    ['go version go1.25.0 linux/amd64', true],
    ['go version go1.26.8 linux/amd64', true],
    ['go version go2.0 linux/amd64', true],
    ['go version devel go1.27-8a4f1b2 Mon Nov 2 2026 linux/amd64', true],
    ['go version go1.24.11 linux/amd64', false],
    ['go version go1.9 linux/amd64', false],
    ['', false],
  ])('%s: %s', (output, expected) => {
    expect(isNewEnough(output)).toBe(expected);
  });
});

describe('planProxies', () => {
  it.each([
    [undefined, []],
    ['', []],
    ['off', []],
    ['direct', []],
    ['https://one.example,direct', ['https://one.example']],
    ['https://one.example|file:///two, off,https://three.example', ['https://one.example', 'file:///two']],
  ])('%s', (setting, expected) => {
    expect(planProxies(setting)).toEqual(expected);
  });
});

describe('takeRelease', () => {
  const NAME = 'golang.example/toolchain@v1';
  const FILES = {
    'bin/go': '#!/bin/sh\necho ran\n',
    'pkg/tool/compile': '',
    'src/_go.mod': 'module std',
    'src/a.go': '',
  };
  let scratch: string;
  let unpacked: string;
  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'berth-go-'));
    unpacked = join(scratch, 'module');
    for (const [name, text] of Object.entries(FILES)) {
      const path = join(unpacked, NAME, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
  });
  afterEach(() => rm(scratch, { recursive: true }));

  /** golang.org/x/mod/sumdb/dirhash, Hash1, in the words of its documentation. */
  const sumByShell = async (): Promise<string> => {
    const script = 'find . -type f | cut -c3- | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c-64';
    const { stdout } = await execa('sh', ['-c', script], { cwd: unpacked });
    return `h1:${Buffer.from(stdout, 'hex').toString('base64')}`;
  };

  it('gives a release that runs', async () => {
    const go = join(scratch, 'go');
    await takeRelease(unpacked, { module: 'golang.example/toolchain', version: 'v1', sum: await sumByShell() }, go);
    expect((await execa(join(go, 'bin/go'))).stdout).toBe('ran');
    expect((await stat(join(go, 'pkg/tool/compile'))).mode & 0o777).toBe(0o755);
    expect(await readFile(join(go, 'src/go.mod'), 'utf8')).toBe('module std');
    expect(existsSync(unpacked)).toBe(false);
  });

  it('takes nothing that has another sum', async () => {
    const sum = await sumByShell();
    await writeFile(join(unpacked, NAME, 'src/a.go'), 'package a');
    const taken = takeRelease(
      unpacked,
      { module: 'golang.example/toolchain', version: 'v1', sum },
      join(scratch, 'go'),
    );
    await expect(taken).rejects.toThrow(`in place of ${sum}`);
    expect(existsSync(join(scratch, 'go'))).toBe(false);
  });
});
