import { describe, expect, it } from 'vitest';
import { isWhole, planCheck, preenCommand, wordsOf } from './fsck.ts';

const completed = (exitCode: number, stdout = '', stderr = '') => ({
  exitCode,
  stdout: new TextEncoder().encode(stdout),
  stderr: new TextEncoder().encode(stderr),
});

describe('planCheck', () => {
  it.each([
    ['ext4', 'none', ['e2fsck -f -n /dev/vdb']],
    ['ext4', 'safe', ['e2fsck -f -p /dev/vdb']],
    ['ext4', 'full', ['e2fsck -f -y /dev/vdb', 'e2fsck -f -n /dev/vdb']],
    ['xfs', 'none', ['xfs_repair -n /dev/vdb']],
    ['xfs', 'safe', ['replay', 'xfs_repair -n /dev/vdb']],
    ['xfs', 'full', ['replay', 'xfs_repair /dev/vdb', 'xfs_repair -n /dev/vdb']],
    ['xfs', 'zero-log', ['replay', 'xfs_repair -L /dev/vdb', 'xfs_repair -n /dev/vdb']],
    ['btrfs', 'none', ['btrfs check --readonly /dev/vdb']],
    ['btrfs', 'safe', ['replay', 'btrfs check --readonly /dev/vdb']],
    ['btrfs', 'full', ['btrfs rescue super-recover -y /dev/vdb', 'replay', 'btrfs check --readonly /dev/vdb']],
  ] as const)('%s, repair %s', (fsType, repair, commands) => {
    const plan = planCheck(fsType, '/dev/vdb', repair);
    expect(plan.map((step) => (step === 'replay' ? step : step.command.join(' ')))).toEqual(commands);
  });

  it('drops the log of btrfs before it is mounted, for the mount would replay it', () => {
    const [, drop, replay] = planCheck('btrfs', '/dev/vdb', 'zero-log');
    expect([drop, replay]).toEqual([
      expect.objectContaining({ command: ['btrfs', 'rescue', 'zero-log', '/dev/vdb'] }),
      'replay',
    ]);
  });

  it('knows no log of ext4', () => {
    expect(() => planCheck('ext4', '/dev/vdb', 'zero-log')).toThrow(/no log of ext4/);
  });
});

describe('isWhole', () => {
  it.each([
    [0, [0], true],
    [1, [0], false],
    [1, undefined, true],
    [3, undefined, true],
    [4, undefined, false],
    [5, undefined, false],
    [8, undefined, false],
    [137, undefined, false],
  ])('exit status %i, whole with %j: %s', (exitCode, wholeExits, whole) => {
    expect(isWhole(completed(exitCode), wholeExits)).toBe(whole);
  });
});

it('preens what its mount does not repair by itself', () => {
  expect(preenCommand('ext4', '/dev/vdb')).toEqual(['e2fsck', '-p', '/dev/vdb']);
  expect(preenCommand('xfs', '/dev/vdb')).toBeUndefined();
});

it('tells the end of what was said', () => {
  expect(wordsOf(completed(0, 'out\n', 'err\n'))).toBe('out\nerr');
  expect(wordsOf(completed(0, 'x'.repeat(9000), ' '))).toHaveLength(4000);
});
