import { describe, expect, it } from 'vitest';
import { mkfsCommand, toUuid } from './filesystem.ts';

describe('mkfsCommand', () => {
  it.each(['ext4', 'xfs'] as const)('pins what %s gets, starting from nothing', (fsType) => {
    const command = mkfsCommand(fsType, '/dev/vdb', 'u-u-i-d', false);
    expect(command.at(-1)).toBe('/dev/vdb');
    expect(command.join(' ')).toContain('u-u-i-d');
    expect(command.join(' ')).toMatch(fsType === 'ext4' ? /-O none,has_journal,/ : /-m crc=1,/);
  });

  it.each([
    ['ext4', '-F'],
    ['xfs', '-f'],
  ] as const)("switches off the check of %s's mkfs only to overwrite", (fsType, flag) => {
    expect(mkfsCommand(fsType, '/dev/vdb', 'u', false)).not.toContain(flag);
    expect(mkfsCommand(fsType, '/dev/vdb', 'u', true)).toContain(flag);
  });
});

describe('toUuid', () => {
  it('sets version and variant', () => {
    expect(toUuid(new Uint8Array(16).fill(0xff))).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff');
    expect(toUuid(new Uint8Array(16))).toBe('00000000-0000-4000-8000-000000000000');
  });
});
