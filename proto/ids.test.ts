import { describe, expect, it } from 'vitest';
import { parseDiskSerial, parseIfName, parsePodUid, parseSandboxId } from './ids.ts';

describe('ids', () => {
  it.each(['eth0', 'net1.100', 'a'.repeat(15)])('accepts the interface name %s', (name) => {
    expect(parseIfName(name)).toBe(name);
  });

  it.each(['', '.', '..', 'a/b', 'a b', 'a:b', 'a\0b', 'a\u0007', '\ud800', 'a'.repeat(16), 'ä'.repeat(8)])(
    'refuses the interface name %j',
    (name) => {
      expect(() => parseIfName(name, 'CNI_IFNAME')).toThrow(/^CNI_IFNAME is /);
    },
  );

  it('refuses what could climb out of a directory', () => {
    expect(() => parseSandboxId('../x')).toThrow(/sandbox id/);
    expect(() => parsePodUid('.')).toThrow(/pod UID/);
    expect(() => parseDiskSerial('..')).toThrow(/disk serial/);
    expect(() => parsePodUid(7)).toThrow(/pod UID is 7/);
  });
});
