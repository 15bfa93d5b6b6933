import { describe, expect, it } from 'vitest';
import { parseVolumeFlag } from './volume-flag.ts';

describe('--volume', () => {
  it.each([
    ['/target:/data', { targetPath: '/target', containerPath: '/data', readOnly: false, subPath: '' }],
    ['/target:/data:rw', { targetPath: '/target', containerPath: '/data', readOnly: false, subPath: '' }],
    ['/target:/data:ro', { targetPath: '/target', containerPath: '/data', readOnly: true, subPath: '' }],
  ])('reads %s', (value, expected) => {
    expect(parseVolumeFlag(value)).toEqual(expected);
  });

  it.each([
    ['/target', 'the path in the container is no absolute path'],
    ['target:/data', 'TARGET is no absolute path'],
    ['/target:data', 'the path in the container is no absolute path'],
    ['/target:/data:rx', '"rx" is neither ro nor rw'],
    ['/target:/data:ro:z', 'too many ":"'],
  ])('refuses %s', (value, message) => {
    expect(() => parseVolumeFlag(value)).toThrow(message);
  });
});
