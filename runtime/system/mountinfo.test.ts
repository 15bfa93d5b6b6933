import { describe, expect, it } from 'vitest';
import { mountsBelow, parseMountinfo, topmostMount } from './mountinfo.ts';

const TABLE = `22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
60 28 0:50 / /k/a\\040b\\011c\\012d\\134e rw - tmpfs berth:p.k.n rw,size=4k
61 60 0:51 / /k/a\\040b\\011c\\012d\\134e ro,nosuid shared:9 master:1 - tmpfs x\\043y rw
62 28 0:50 /sub//deleted /k/z rw - tmpfs berth:p.k.n rw
`;
const ODD = '/k/a b\tc\nd\\e';

describe('parseMountinfo', () => {
  it('takes optional fields, none or more, and unescapes', () => {
    const mounts = parseMountinfo(TABLE);
    expect(mounts).toHaveLength(5);
    expect(mounts[0]).toEqual({
      id: 22,
      parentId: 28,
      root: '/',
      mountPoint: '/sys',
      fsType: 'sysfs',
      source: 'sysfs',
      options: ['rw', 'nosuid'],
    });
    expect(mounts[3]).toMatchObject({ mountPoint: ODD, source: 'x#y', options: ['ro', 'nosuid'] });
    expect(mounts[4]).toMatchObject({ root: '/sub//deleted' });
  });

  it.each(['', '\n'])('takes an empty table %j', (text) => {
    expect(parseMountinfo(text)).toEqual([]);
  });

  it.each(['x', '22 28 0:21 / /sys rw sysfs sysfs rw', '22 28 0:21 / /sys rw -'])('refuses the line %j', (line) => {
    expect(() => parseMountinfo(line)).toThrow(/mountinfo has a line of unknown form/);
  });
});

describe('topmostMount', () => {
  it('is the layer that no other covers, in whatever order the table has them', () => {
    const mounts = parseMountinfo(TABLE);
    expect(topmostMount(mounts, ODD)?.id).toBe(61);
    expect(topmostMount([...mounts].reverse(), ODD)?.id).toBe(61);
  });

  it('is nothing where nothing is mounted, though a parent is', () => {
    expect(topmostMount(parseMountinfo(TABLE), '/k')).toBeUndefined();
  });
});

describe('mountsBelow', () => {
  it('leaves out the path itself and its namesakes', () => {
    const mounts = parseMountinfo(TABLE);
    expect(mountsBelow(mounts, '/k').map(({ id }) => id)).toEqual([60, 61, 62]);
    expect(mountsBelow(mounts, '/k/z')).toEqual([]);
    expect(mountsBelow(mounts, '/sy')).toEqual([]);
  });
});
