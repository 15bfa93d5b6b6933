import { describe, expect, it } from 'vitest';
import { planMissingPackages } from './host-packages.ts';

describe('missing packages', () => {
  it.each([
    ['installed', [['qemu', 'installed']], []],
    ['unknown to dpkg', [], ['qemu']],
    ['known and not installed', [['qemu', 'not-installed']], ['qemu']],
    ['removed, its configuration left', [['qemu', 'config-files']], ['qemu']],
    ['unpacked by a broken run', [['qemu', 'half-configured']], ['qemu']],
    [
      'installed for one of two architectures',
      [
        ['qemu', 'config-files'],
        ['qemu', 'installed'],
      ],
      [],
    ],
  ])('%s', (_name, rows, missing) => {
    expect(planMissingPackages(['qemu'], rows)).toEqual(missing);
  });

  it('keeps the order of the list', () => {
    expect(planMissingPackages(['b', 'a', 'c'], [['a', 'installed']])).toEqual(['b', 'c']);
  });
});
