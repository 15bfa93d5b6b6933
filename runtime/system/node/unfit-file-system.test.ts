import { expect, it } from 'vitest';
import { describeUnfit } from './unfit-file-system.ts';

it.each([
  ['tmpfs', 0x01021994],
  ['NFS', 0x6969],
  ['FUSE', 0x65735546],
  ['overlayfs', 0x794c7630],
])('takes no pool on %s', (name, type) => {
  expect(describeUnfit(type)).toMatch(new RegExp(`^${name}: `));
});

it.each([
  ['ext4', 0xef53],
  ['xfs', 0x58465342],
  ['btrfs', 0x9123683e],
])('takes a pool on %s', (_, type) => {
  expect(describeUnfit(type)).toBeUndefined();
});
