import { describe, expect, it } from 'vitest';
import { parseSandboxId } from '../../proto/ids.ts';
import { planMaintenance } from './maintenance.ts';
import { facts, volume } from './plan.fixture.ts';

const { spec, attachment } = volume('v');
const request = {
  id: parseSandboxId('fsck-1'),
  memoryMib: 512,
  spec,
  directory: attachment.volumeDirectory,
  readOnly: true,
};

describe('a VM for maintenance', () => {
  it('has the volume, by its serial, and nothing else of the host', () => {
    const vm = planMaintenance(request, facts());
    expect(vm).toMatchObject({ name: 'fsck-1', memoryMib: 512, nics: [], shares: [] });
    expect(vm.disks.map(({ serial, path, readOnly }) => [serial, path, readOnly])).toEqual([
      ['berth-root', '/guest/root-3.erofs', true],
      ['s-v', '/pool/volumes/fast.n1.v/image.raw', true],
    ]);
  });

  it('is refused what a pod is refused', () => {
    expect(() => planMaintenance({ ...request, memoryMib: 1 }, facts())).toThrow(/at least 128/);
  });
});
