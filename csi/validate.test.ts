import { describe, expect, it } from 'vitest';
import type { VolumeCapabilityMessage } from './messages.ts';
import { parseCapability, parseCapacityRange, parseName, parsePath, parseText } from './validate.ts';

const mount = { fs_type: '', mount_flags: [], volume_mount_group: '' };
const fit: VolumeCapabilityMessage = { access_type: 'mount', mount, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

describe('parseText, parseName', () => {
  it('count bytes, not characters', () => {
    expect(parseText('é'.repeat(64), 'name')).toHaveLength(64);
    expect(() => parseText('é'.repeat(65), 'name')).toThrow('name has 130 bytes, but CSI allows 128');
    expect(() => parseText('', 'volume_id')).toThrow('volume_id is required');
  });

  it.each(['\u0000', '\u0008', '\u000b', '\u000c', '\u000e', '\u001f', '\u007f', '\u009f'])(
    'refuse %j',
    (character) => {
      expect(() => parseName(`a${character}`, 'name')).toThrow('name has a control character');
    },
  );

  it('take what else Unicode has', () => {
    expect(parseName('\t\n\r ü雪', 'name')).toBe('\t\n\r ü雪');
  });
});

describe('parsePath', () => {
  it.each([
    ['/a/b', '/a/b'],
    ['/a/b//', '/a/b'],
    ['/a b/ü', '/a b/ü'],
  ])('takes %j', (given, parsed) => {
    expect(parsePath(given, 'target_path')).toBe(parsed);
  });

  it('refuses a name that no directory can have', () => {
    expect(() => parsePath(`/a/${'é'.repeat(128)}/b`, 'target_path')).toThrow(/^target_path has a component of more/);
  });

  it.each(['', '/', 'a', './a', '/a/../b', '/a/./b', '/a//b', '/a\0b', `/${'a'.repeat(4096)}`])(
    'refuses %j',
    (path) => {
      expect(() => parsePath(path, 'target_path')).toThrow(/^target_path is /);
    },
  );
});

describe('parseCapability', () => {
  it('takes every mode of one node', () => {
    expect(parseCapability(fit, 'c')).toEqual({
      ...{ volumeMode: 'Filesystem', accessMode: 'SINGLE_NODE_WRITER', fsType: undefined },
      ...{ mountFlags: [], fsGroup: undefined },
    });
    const block = { access_type: 'block', access_mode: { mode: 'MULTI_NODE_READER_ONLY' } } as const;
    expect(parseCapability(block, 'c')).toMatchObject({ volumeMode: 'Block', accessMode: 'MULTI_NODE_READER_ONLY' });
    const xfs = { ...fit, mount: { ...mount, fs_type: 'xfs', mount_flags: ['noatime'] } };
    const group = { ...fit, mount: { ...mount, volume_mount_group: '1000' } };
    expect(parseCapability(group, 'c')).toMatchObject({ fsGroup: 1000 });
    expect(parseCapability(xfs, 'c')).toMatchObject({ fsType: 'xfs', mountFlags: ['noatime'] });
  });

  it.each<[string, VolumeCapabilityMessage | null]>([
    ['c is required', null],
    ['c.access_type is required', { access_mode: { mode: 'SINGLE_NODE_WRITER' } }],
    ['c.access_mode is required', { ...fit, access_mode: null }],
    ['c.access_mode.mode is required', { ...fit, access_mode: { mode: 'UNKNOWN' } }],
    ['c.access_mode.mode is MULTI_NODE_MULTI_WRITER', { ...fit, access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } }],
    ['c.access_mode.mode is 99', { ...fit, access_mode: { mode: 99 } }],
    ['c.mount.fs_type is "ntfs"', { ...fit, mount: { ...mount, fs_type: 'ntfs' } }],
    ['c.mount.volume_mount_group is "wheel"', { ...fit, mount: { ...mount, volume_mount_group: 'wheel' } }],
    ['c.mount.volume_mount_group is "4294967295"', { ...fit, mount: { ...mount, volume_mount_group: '4294967295' } }],
  ])('says that %s', (message, capability) => {
    expect(() => parseCapability(capability, 'c')).toThrow(message);
  });
});

describe('parseCapacityRange', () => {
  it('keeps every bit of an int64', () => {
    const parsed = parseCapacityRange({ required_bytes: '9007199254740993', limit_bytes: '0' }, 'capacity_range');
    expect(parsed).toEqual({ requiredBytes: 9007199254740993n, limitBytes: undefined });
  });

  it.each([
    ['required_bytes', { required_bytes: '-1', limit_bytes: '0' }],
    ['limit_bytes', { required_bytes: '0', limit_bytes: '-1' }],
  ])('refuses a negative %s', (field, message) => {
    expect(() => parseCapacityRange(message, 'capacity_range')).toThrow(`capacity_range.${field} is negative`);
  });
});
