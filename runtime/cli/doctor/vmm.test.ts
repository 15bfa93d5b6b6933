import { expect, it } from 'vitest';
import { judgeProbe } from './vmm.ts';

const VMM = {
  version: 'QEMU 7.2.22',
  accelerators: ['tcg', 'kvm'],
  virtioBlk: true,
  nineP: true,
  ioUring: true,
} as const;
const judge = (changes: object, chosen: 'tcg' | 'kvm' = 'kvm') =>
  judgeProbe(
    {
      vmm: { ...VMM, accelerators: [...VMM.accelerators], ...changes },
      accelerator: { chosen, reason: 'it was seen' },
    },
    '/run/berth/accelerator.json',
  );

it('is content with a QEMU that has everything and runs guests under KVM', () => {
  expect(judge({}).map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
});

it('misses a device that pods need, and says what for', () => {
  expect(judge({ nineP: false })).toContainEqual(
    expect.objectContaining({ status: 'missing', what: expect.stringContaining("virtio-9p, which containers' roots") }),
  );
});

it('only notes that there is no KVM, with the reason and the way to have it tried again', () => {
  expect(judge({}, 'tcg')).toContainEqual({
    area: 'vmm',
    status: 'note',
    what: expect.stringContaining('it was seen'),
    mend: expect.stringContaining('rm -f /run/berth/accelerator.json'),
  });
});
