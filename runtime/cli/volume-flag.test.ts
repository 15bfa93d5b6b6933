import { describe, expect, it } from 'vitest';
import { parseDeviceFlag, parseVolumeFlag } from './volume-flag.ts';

const volume = { targetPath: '/target', containerPath: '/data', readOnly: false, subPath: '', isDevice: false };

describe('--volume', () => {
  it.each([
    ['/target:/data', {}],
    ['/target:/data:rw', {}],
    ['/target:/data:ro', { readOnly: true }],
    ['/target/:/data', {}],
    ['/target//:/data', {}],
    ['/target//a/b:/data', { subPath: 'a/b' }],
    ['/t/a//b c/:/data:ro', { targetPath: '/t/a', subPath: 'b c', readOnly: true }],
  ])('reads %s', (value, expected) => {
    expect(parseVolumeFlag(value)).toEqual({ ...volume, ...expected });
  });

  it.each([
    ['/target', 'the path in the container is no absolute path'],
    ['target:/data', 'TARGET is no absolute path'],
    ['/target:data', 'the path in the container is no absolute path'],
    ['/target:/data:rx', '"rx" is neither ro nor rw'],
    ['/target:/data:ro:z', 'too many ":"'],
    ['/target//a/../b:/data', 'SUB must lie in the volume'],
  ])('refuses %s', (value, message) => {
    expect(() => parseVolumeFlag(value)).toThrow(message);
  });
});

describe('--device', () => {
  it.each([
    ['/target:/dev/xvda', {}],
    ['/target/:/dev/xvda:ro', { readOnly: true }],
  ])('reads %s', (value, expected) => {
    expect(parseDeviceFlag(value)).toEqual({ ...volume, containerPath: '/dev/xvda', isDevice: true, ...expected });
  });

  it('names itself in a refusal', () => {
    expect(() => parseDeviceFlag('target:/dev/x')).toThrow(/^--device "target:\/dev\/x": TARGET is no absolute path/);
  });
});
