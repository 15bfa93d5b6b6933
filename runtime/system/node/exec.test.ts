import { describe, expect, it } from 'vitest';
import { exec, run } from './exec.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('run', () => {
  it('answers status, output and stderr apart', async () => {
    const done = await run({ file: 'sh', args: ['-c', 'printf out; printf err >&2; exit 3'] });
    expect([done.exitCode, text(done.stdout), text(done.stderr)]).toEqual([3, 'out', 'err']);
  });

  it('feeds stdin, keeps the final newline, and speaks the C locale', async () => {
    const done = await run({ file: 'sh', args: ['-c', 'cat; echo $LC_ALL'], stdin: new TextEncoder().encode('in ') });
    expect(text(done.stdout)).toBe('in C\n');
  });

  it('uses no shell', async () => {
    expect(text((await run({ file: 'echo', args: ['$HOME;`id`'] })).stdout)).toBe('$HOME;`id`\n');
  });

  it('tells a signal as 128 + its number', async () => {
    expect((await run({ file: 'sh', args: ['-c', 'kill -TERM $$'] })).exitCode).toBe(143);
  });

  it('kills what takes too long', async () => {
    const slow = run({ file: 'sleep', args: ['60'], timeoutMs: 50 });
    await expect(slow).rejects.toMatchObject({ code: 'timeout', message: expect.stringContaining('sleep') });
  });

  it('replaces the environment when asked', async () => {
    expect(text((await run({ file: '/usr/bin/env', args: [], env: { A: 'b' } })).stdout)).toBe('A=b\n');
  });

  it('says which package brings a missing program', async () => {
    const missing = run({ file: '/nowhere/flock', args: [] });
    await expect(missing).rejects.toMatchObject({
      code: 'environment',
      message: "the program /nowhere/flock is not installed; Debian's package util-linux brings it",
    });
  });
});

describe('exec', () => {
  it('answers what a program printed', async () => {
    expect(await exec('printf', ['a\\nb'])).toBe('a\nb');
  });

  it('throws what a failing program said', async () => {
    await expect(exec('sh', ['-c', 'echo no such thing >&2; exit 7'])).rejects.toMatchObject({
      code: 'exec',
      message: 'sh failed with status 7: no such thing',
      fields: { exitCode: 7, stderr: 'no such thing' },
    });
  });
});
