import { describe, expect, it, vi } from 'vitest';
import type { AgentUsage } from '../../proto/agent.ts';
import { parseContainerId, parseDiskSerial, parseVolumeId } from '../../proto/ids.ts';
import { silentLog } from '../system/log.ts';
import type { DiskError, Vm } from '../vmm/port.ts';
import { DiskWatch } from './disk-watch.ts';
import { type PodParts, PodVolumes } from './pod-volumes.ts';

const volume = (name: string, volumeMode: 'Filesystem' | 'Block', readOnly = false) => ({
  volumeId: parseVolumeId(`pool.n.${name}`),
  containerId: parseContainerId('main'),
  containerPath: `/${name}`,
  serial: parseDiskSerial(name),
  volumeMode,
  readOnly,
});
const USAGE: AgentUsage = {
  capacityBytes: 90,
  availableBytes: 40,
  usedBytes: 50,
  inodes: 9,
  inodesFree: 8,
  isReadOnly: false,
};

/** A pod with a file system, one that is only read, and a raw disk; `calls` has what was asked of VMM and guest. */
function pod(usage: AgentUsage = USAGE) {
  const calls: unknown[] = [];
  let report: (error: DiskError) => void = () => {};
  const vm = {
    exited: new Promise(() => {}),
    disks: async () => ['fs', 'ro', 'raw'].map((name) => ({ id: `disk-${name}`, sizeBytes: 100, isOutOfSpace: false })),
    resizeDisk: async (...args: unknown[]) => void calls.push(['resize', ...args]),
    throttleDisk: async (...args: unknown[]) => void calls.push(['throttle', ...args]),
    onDiskError: (listener: typeof report) => {
      report = listener;
    },
  } as unknown as Vm;
  const answers: Record<string, object> = {
    measureVolume: usage,
    growVolume: { deviceBytes: 200, capacityBytes: 190 },
    freezeVolumes: {},
    thawVolumes: { wasHeld: true },
    trimVolume: { trimmedBytes: 7 },
  };
  const agent = {
    call: async (name: string, request: object) => {
      calls.push([name, request]);
      return answers[name];
    },
  } as unknown as PodParts['agent'];
  const volumes = [volume('fs', 'Filesystem'), volume('ro', 'Filesystem', true), volume('raw', 'Block')];
  const watch = new DiskWatch({ sleep: () => new Promise(() => {}) }, vm, silentLog);
  return {
    calls,
    report: (error: DiskError) => report(error),
    volumes: new PodVolumes(() => ({ volumes, vm, agent, watch })),
  };
}

const outOfSpace: DiskError = { diskId: 'disk-fs', operation: 'write', isOutOfSpace: true, reason: 'full' };

describe('a volume of a running pod', () => {
  it('is measured by the guest, its disk by the VMM', async () => {
    const { volumes } = pod();
    const { isReadOnly: _, ...sizes } = USAGE;
    expect(await volumes.measure('pool.n.fs')).toEqual({ deviceBytes: 100, ...sizes, problem: '' });
  });

  it('that is raw has a size and no more', async () => {
    const { volumes, calls } = pod();
    expect(await volumes.measure('pool.n.raw')).toMatchObject({
      deviceBytes: 100,
      capacityBytes: 0,
      inodes: 0,
      problem: '',
    });
    expect(calls).toEqual([]);
  });

  it.each([
    ['fs', /read-only: the guest found an error/],
    ['ro', /^$/],
  ])('that has become read-only has a problem, unless it was asked for so: %s', async (name, problem) => {
    const { volumes } = pod({ ...USAGE, isReadOnly: true });
    expect((await volumes.measure(`pool.n.${name}`)).problem).toMatch(problem);
  });

  it('whose VM waits for space is as it was, with the reason; the guest is not asked', async () => {
    vi.useFakeTimers();
    const { volumes, report, calls } = pod();
    await volumes.measure('pool.n.fs');
    report(outOfSpace);
    calls.length = 0;
    expect(await volumes.measure('pool.n.fs')).toMatchObject({
      usedBytes: 50,
      problem: expect.stringMatching(/out of space/),
    });
    expect((await volumes.measure('pool.n.ro')).problem).toBe('');
    for (const refused of [
      volumes.grow('pool.n.fs', 200),
      volumes.trim('pool.n.fs'),
      volumes.freeze(['pool.n.fs'], 1),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'busy' });
    }
    await volumes.throttle('pool.n.fs', { iops: 1, bandwidthBytes: 0 });
    expect(calls).toEqual([['throttle', 'disk-fs', { iops: 1, bandwidthBytes: 0 }]]);
  });

  it('grows: the disk first', async () => {
    const { volumes, calls } = pod();
    expect(await volumes.grow('pool.n.fs', 200)).toEqual({ deviceBytes: 200, capacityBytes: 190 });
    expect(calls).toEqual([
      ['resize', 'disk-fs', 200],
      ['growVolume', { serial: 'fs', sizeBytes: 200 }],
    ]);
  });

  it.each([
    [['fs'], ['fs'], true],
    [['fs', 'ro'], ['fs'], true],
    [['fs', 'raw'], ['fs'], false],
    [['raw'], [], false],
    [['ro'], [], true],
  ])(
    '%j is frozen where it can be written and has a file system: %j, still throughout: %s',
    async (names, serials, still) => {
      const { volumes, calls } = pod();
      const ids = names.map((name) => `pool.n.${name}`);
      await volumes.freeze(ids, 5);
      expect(await volumes.thaw(ids)).toBe(still);
      expect(calls).toEqual(
        serials.length === 0
          ? []
          : [
              ['freezeVolumes', { serials, timeoutMs: 5 }],
              ['thawVolumes', { serials }],
            ],
      );
    },
  );

  it('that is trimmed says what it gave back', async () => {
    expect(await pod().volumes.trim('pool.n.fs')).toBe(7);
  });

  it('that the pod does not have is not found', async () => {
    const { volumes } = pod();
    await expect(volumes.measure('pool.n.other')).rejects.toMatchObject({ code: 'not-found' });
    await expect(volumes.freeze(['pool.n.fs', 'pool.n.other'], 1)).rejects.toMatchObject({ code: 'not-found' });
  });
});
