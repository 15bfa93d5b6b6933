import { describe, expect, it } from 'vitest';
import { crunFault, parsePidFile } from './crun.ts';

const silent = { exitCode: 1, stdout: new Uint8Array(0), stderr: new Uint8Array(0) };

describe('crunFault', () => {
  it('says what crun said last, without the time', () => {
    const log =
      '2026-11-21T10:00:00.1Z: warning: odd\n2026-11-21T10:00:00.2Z: executable file `x` not found in $PATH\n';
    const fault = crunFault('create', 'c1', silent, log);
    expect(fault.message).toBe('crun could not create container c1: executable file `x` not found in $PATH');
    expect(fault.fields['stderr']).toContain('odd');
  });

  it('is honest about silence', () => {
    expect(crunFault('start', 'c1', silent, '').message).toContain('ended with 1 and said nothing');
  });
});

describe('parsePidFile', () => {
  it('takes a pid and nothing else', () => {
    expect(parsePidFile('123\n', 'c1')).toBe(123);
    for (const text of [undefined, '', '0', '1', '-5', 'x']) expect(() => parsePidFile(text, 'c1')).toThrow('c1');
  });
});
