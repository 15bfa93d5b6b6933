import { describe, expect, it } from 'vitest';
import { parseSmaps, sumPssKib } from './process-memory.ts';

const SMAPS = `
55d5c0000000-55d5c0200000 r-xp 00000000 08:01 42                         /usr/bin/qemu-system-x86_64
Size:               2048 kB
KernelPageSize:        4 kB
Rss:                1024 kB
Pss:                 512 kB
Pss_Dirty:             0 kB
7f0000000000-7f0010000000 rw-p 00000000 00:00 0
Size:             262144 kB
Rss:              100000 kB
Pss:              100000 kB
Pss_Dirty:        100000 kB
VmFlags: rd wr mr mw me ac
`;

describe('memory of a process', () => {
  it('is the sum of its shares, with or without the mapping of the guest', () => {
    const mappings = parseSmaps(SMAPS);
    expect(mappings).toEqual([
      { sizeKib: 2048, pssKib: 512 },
      { sizeKib: 262144, pssKib: 100000 },
    ]);
    expect(sumPssKib(mappings)).toBe(100512);
    expect(sumPssKib(mappings, 256)).toBe(512);
  });

  it('is not told without the guest when no mapping is the guest', () => {
    expect(() => sumPssKib(parseSmaps(SMAPS), 512)).toThrow('no mapping has exactly 512 MiB');
  });
});
