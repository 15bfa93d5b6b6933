import { expect, it } from 'vitest';
import { volumeCommand } from './volume.ts';

const POOL = ['--pool', 'fast=image-file:/srv/berth'];

it.each([
  [[], /a verb is missing; there is ls/],
  [['paint', 'v'], /"paint"/],
  [['fsck'], /VOLUME is missing/],
  [['fsck', 'v', '--repair', 'full'], /must be one of none, safe/],
  [['rescue', 'v', '--back-to', 'copy', '--zero-log'], /--back-to repairs nothing/],
  [['import', 'disk.raw', ...POOL], /--name is missing/],
  [['import', 'disk.raw', '--name', 'My_Photos', ...POOL], /--name is "My_Photos", but a PersistentVolume's/],
  [['import', 'disk.raw', '--name', 'photos'], /needs one --pool/],
  [['import', 'disk.raw', '--name', 'photos', '--fs', 'zfs', ...POOL], /--fs is "zfs"/],
  [['import', 'disk.raw', '--name', 'photos', '--endpoint', '/run/csi.sock', ...POOL], /must be unix:\/\/\/PATH/],
  [['delete', 'v', ...POOL], /--confirm is missing/],
])('a command line that is wrong is refused before anything is done: %j', (args, message) => {
  expect(() => volumeCommand.prepare(args)).toThrow(message);
});

it.each([
  [['rescue', 'v', '--zero-log', '--no-copy', ...POOL]],
  [['rescue', 'v', '--back-to', 'copy-20261121T163005.007Z.raw', ...POOL]],
  [['import', 'disk.raw', '--name', 'photos.example', ...POOL]],
  [['delete', 'v', '--confirm', 'photos', ...POOL]],
])('%j is taken', (args) => {
  expect(volumeCommand.prepare(args)).toBeTypeOf('function');
});
