import { describe, expect, it } from 'vitest';
import { isWhole, planCheck, preenCommand, wordsOf } from './fsck.ts';

const completed = (exitCode: number, stdout = '', stderr = '') => ({
  exitCode,
  stdout: new TextEncoder().encode(stdout),
  stderr: new TextEncoder().encode(stderr),
});

describe('planCheck', () => {
  it.each([
    ['ext4', 'none', 'e2fsck -f -n /dev/vdb', false],
    ['ext4', 'safe', 'e2fsck -f -p /dev/vdb', false],
    ['ext4', 'full', 'e2fsck -f -y /dev/vdb', false],
    ['xfs', 'none', 'xfs_repair -n /dev/vdb', false],
    ['xfs', 'safe', 'xfs_repair -n /dev/vdb', true],
    ['xfs', 'full', 'xfs_repair /dev/vdb', true],
    ['btrfs', 'none', 'btrfs check --readonly /dev/vdb', false],
    ['btrfs', 'safe', 'btrfs check --readonly /dev/vdb', true],
  ] as const)('%s, repair %s: %s', (fsType, repair, command, replaysLog) => {
    const plan = planCheck(fsType, '/dev/vdb', repair);
    expect(plan.command.join(' ')).toBe(command);
    expect(plan.replaysLog).toBe(replaysLog);
  });

  it('repairs no btrfs', () => {
    expect(() => planCheck('btrfs', '/dev/vdb', 'full')).toThrow(/berth volume export/);
  });
});

describe('isWhole', () => {
  it.each([
    [0, 0, true],
    [1, 0, false],
    [1, 3, true],
    [3, 3, true],
    [4, 3, false],
    [5, 3, false],
    [8, 3, false],
    [137, 3, false],
  ])('exit status %i, whole with %i: %s', (exitCode, wholeExits, whole) => {
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
