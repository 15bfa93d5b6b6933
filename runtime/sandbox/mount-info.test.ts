import { describe, expect, it } from 'vitest';
import { parseMountInfo } from './mount-info.ts';

describe('mountinfo', () => {
  it.each([
    [
      '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue', // the example of proc(5)
      { mountPoint: '/mnt2', fsType: 'ext3', source: '/dev/root' },
    ],
    [
      '40 35 0:50 / /a\\040b\\134c rw shared:7 master:1 propagate_from:2 - tmpfs berth:pool.n.v ro,size=4k',
      { mountPoint: '/a b\\c', fsType: 'tmpfs', source: 'berth:pool.n.v' },
    ],
    ['41 35 0:51 / /c rw - fuse.x a\\011b rw', { mountPoint: '/c', fsType: 'fuse.x', source: 'a\tb' }],
  ])('%s', (line, expected) => {
    expect(parseMountInfo(`${line}\n`)).toEqual([expected]);
  });

  it('keeps the order, and passes over what is no entry', () => {
    const text = '1 0 0:1 / /x rw - tmpfs lower rw\n\nrubbish\n2 1 0:2 / /x rw - tmpfs upper rw\n';
    expect(parseMountInfo(text).map(({ source }) => source)).toEqual(['lower', 'upper']);
  });
});
