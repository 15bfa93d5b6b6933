import { describe, expect, it } from 'vitest';
import { crunFault, parsePidFile } from './crun.ts';

describe('crunFault', () => {
  it('says what crun said last, and keeps the rest', () => {
    const fault = crunFault('create', 'c1', 1, 'something odd\nexecutable file `x` not found in $PATH\n');
    expect(fault.message).toBe('crun could not create container c1: executable file `x` not found in $PATH');
    expect(fault.fields).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('odd') });
  });

  it('is honest about silence', () => {
    expect(crunFault('start', 'c1', 1, '').message).toContain('ended with 1 and said nothing');
  });
});

describe('parsePidFile', () => {
  it('takes a pid and nothing else', () => {
    expect(parsePidFile('123\n', 'c1')).toBe(123);
    for (const text of [undefined, '', '0', '1', '-5', 'x']) expect(() => parsePidFile(text, 'c1')).toThrow('c1');
  });
});
