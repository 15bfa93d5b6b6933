import { describe, expect, it } from 'vitest';
import { isOfKind, parseSignature } from './signature.ts';

const completed = (exitCode: number, stdout = '', stderr = '') => ({
  exitCode,
  stdout: new TextEncoder().encode(stdout),
  stderr: new TextEncoder().encode(stderr),
});

describe('parseSignature', () => {
  it('takes only silence and status 2 for a blank device', () => {
    expect(parseSignature('/dev/vdb', completed(2))).toBeUndefined();
  });

  it.each([
    [completed(0, 'DEVNAME=/dev/vdb\nUUID=1\nTYPE=ext4\nUSAGE=filesystem\n'), 'ext4'],
    [completed(0, 'DEVNAME=/dev/vdb\nLABEL=photos\nTYPE=vfat\n'), 'vfat labelled photos'],
    [completed(0, 'DEVNAME=/dev/vdb\nPTUUID=1\nPTTYPE=gpt\n'), 'partition table gpt'],
    [completed(0), 'something'],
    [completed(8), 'several contradicting signatures'],
  ])('names what is there', (answer, expected) => {
    expect(parseSignature('/dev/vdb', answer)).toBe(expected);
  });

  it.each([completed(2, 'DEVNAME=/dev/vdb\n'), completed(4, '', 'usage'), completed(137)])(
    'never takes a failure for a blank device',
    (answer) => {
      expect(() => parseSignature('/dev/vdb', answer)).toThrow('could not say');
    },
  );
});

it.each([
  ['ext4', 'ext4', true],
  ['ext3 labelled xfs', 'ext4', true],
  ['xfs labelled photos', 'xfs', true],
  ['btrfs', 'btrfs', true],
  ['xfs', 'ext4', false],
  ['ext4 labelled xfs', 'xfs', false],
  ['partition table gpt', 'ext4', false],
  ['several contradicting signatures', 'xfs', false],
] as const)('%s is of kind %s: %s', (signature, fsType, isOne) => {
  expect(isOfKind(signature, fsType)).toBe(isOne);
});
