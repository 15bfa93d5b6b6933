import { describe, expect, it } from 'vitest';
import { S_IF, type Stat } from '../system/native/sys.ts';
import { needsHandOver } from './ownership.ts';

const root = (mode: number, gid: number): Stat => ({
  ...{ dev: 1, ino: 2, uid: 0, rdev: 0, size: 0, blocks: 0, gid },
  mode: S_IF.DIR | mode,
});

describe('needsHandOver', () => {
  it.each([
    ['a root that is given', root(0o2770, 7), 'OnRootMismatch', false],
    ['one that others see as well', root(0o2775, 7), 'OnRootMismatch', false],
    ['one of another group', root(0o2770, 8), 'OnRootMismatch', true],
    ['one without the setgid bit', root(0o770, 7), 'OnRootMismatch', true],
    ['one that the group cannot write', root(0o2750, 7), 'OnRootMismatch', true],
    ['one that is given, always', root(0o2770, 7), 'Always', true],
  ] as const)('%s', (_, stat, policy, needed) => {
    expect(needsHandOver(stat, { gid: 7, policy })).toBe(needed);
  });

  it('refuses a policy that is none', () => {
    expect(() => needsHandOver(root(0o2770, 7), { gid: 7, policy: 'Sometimes' })).toThrow(/Sometimes.*OnRootMismatch/);
  });
});
