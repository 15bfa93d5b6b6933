import { describe, expect, it } from 'vitest';
import { addDevices } from './container-devices.ts';

const disk = { path: '/dev/xvda', major: 254, minor: 16, readOnly: false };
const node = { path: '/dev/xvda', type: 'b', major: 254, minor: 16, fileMode: 0o660, uid: 0, gid: 0 };
const allowed = { allow: true, type: 'b', major: 254, minor: 16, access: 'rwm' };
const added = (spec: unknown, devices = [disk]): unknown => JSON.parse(addDevices(JSON.stringify(spec), devices));

describe('addDevices', () => {
  it('makes the lists that are not there, and denies what they do not name', () => {
    const lists = { devices: [node], resources: { devices: [{ allow: false, access: 'rwm' }, allowed] } };
    expect(added({ ociVersion: '1.0.2' })).toEqual({ ociVersion: '1.0.2', linux: lists });
  });

  it('adds to lists, and leaves everything else', () => {
    const linux = {
      seccomp: { defaultAction: 'x' },
      devices: [{ path: '/dev/fuse' }],
      resources: { memory: { limit: 1 }, devices: [{ allow: true }] },
    };
    expect(added({ linux, process: { args: ['sh'] } })).toEqual({
      process: { args: ['sh'] },
      linux: {
        ...linux,
        devices: [{ path: '/dev/fuse' }, node],
        resources: { memory: { limit: 1 }, devices: [{ allow: true }, allowed] },
      },
    });
  });

  it('lets a read-only disk be read only', () => {
    const spec = added({}, [{ ...disk, readOnly: true }]);
    expect(spec).toMatchObject({ linux: { resources: { devices: [{}, { access: 'r' }] } } });
  });

  it.each(['', '[', '{"linux":{"devices":{}}}', '7'])('refuses %j', (spec) => {
    expect(() => addDevices(spec, [disk])).toThrow(/specification/);
  });
});
