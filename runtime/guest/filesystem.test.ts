import { describe, expect, it } from 'vitest';
import { mkfsCommand, toUuid } from './filesystem.ts';

const request = { device: '/dev/vdb', uuid: 'u-u-i-d', overwrite: false, options: [] };

describe('mkfsCommand', () => {
  it.each([
    ['ext4', /-O none,has_journal,/],
    ['xfs', /-m crc=1,/],
    ['btrfs', /--features extref,.*\^block-group-tree/],
  ] as const)('pins what %s gets', (fsType, pins) => {
    const command = mkfsCommand({ ...request, fsType });
    expect(command.at(-1)).toBe('/dev/vdb');
    expect(command.join(' ')).toContain('u-u-i-d');
    expect(command.join(' ')).toMatch(pins);
  });

  it.each([
    ['ext4', '-F'],
    ['xfs', '-f'],
    ['btrfs', '-f'],
  ] as const)("switches off the check of %s's mkfs only to overwrite", (fsType, flag) => {
    expect(mkfsCommand({ ...request, fsType })).not.toContain(flag);
    expect(mkfsCommand({ ...request, fsType, overwrite: true })).toContain(flag);
  });

  it('lets the words of the class win, but not over the device', () => {
    const command = mkfsCommand({ ...request, fsType: 'ext4', options: ['-m', '5'] });
    expect(command.lastIndexOf('-m')).toBeGreaterThan(command.indexOf('-m'));
    expect(command.slice(-3)).toEqual(['-m', '5', '/dev/vdb']);
  });
});

describe('toUuid', () => {
  it('sets version and variant', () => {
    expect(toUuid(new Uint8Array(16).fill(0xff))).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff');
    expect(toUuid(new Uint8Array(16))).toBe('00000000-0000-4000-8000-000000000000');
  });
});
