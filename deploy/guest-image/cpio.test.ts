import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeCpio } from './cpio.ts';

const file = (path: string, content: string) =>
  ({ kind: 'file', path, mode: 0o640, content: Buffer.from(content) }) as const;

describe('cpio', () => {
  it('writes the header that the kernel documents', () => {
    const archive = encodeCpio([file('init', 'abc')]);
    const header = archive.toString('latin1', 0, 110);
    expect(header).toBe(
      ['070701', '00000001', '000081a0', '00000000', '00000000', '00000001', '00000000', '00000003']
        .concat(['00000000', '00000000', '00000000', '00000000', '00000005', '00000000'])
        .join(''),
    );
    expect(archive.toString('latin1', 110, 115)).toBe('init\0');
  });

  it.each([0, 1, 2, 3, 4, 5])('starts every member on a multiple of four after %i bytes of content', (length) => {
    const archive = encodeCpio([file('a', 'x'.repeat(length)), file('ab', 'y')]);
    const second = archive.indexOf('070701', 1, 'latin1');
    expect(second % 4).toBe(0);
    expect(archive.length % 4).toBe(0);
  });

  it('is what another implementation unpacks', () => {
    const directory = mkdtempSync(join(tmpdir(), 'berth-cpio-'));
    try {
      const archive = encodeCpio([
        { kind: 'directory', path: 'modules', mode: 0o755 },
        file('modules/ext4.ko', 'module'),
        file('init', '#!/bin/sh\n'),
      ]);
      execFileSync('busybox', ['cpio', '-i'], { cwd: directory, input: archive, stdio: ['pipe', 'ignore', 'ignore'] });
      expect(readFileSync(join(directory, 'modules/ext4.ko'), 'utf8')).toBe('module');
      expect(readFileSync(join(directory, 'init'), 'utf8')).toBe('#!/bin/sh\n');
      expect(statSync(join(directory, 'init')).mode & 0o777).toBe(0o640);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('gives the same bytes for the same entries', () => {
    expect(encodeCpio([file('a', '1')])).toEqual(encodeCpio([file('a', '1')]));
  });
});
