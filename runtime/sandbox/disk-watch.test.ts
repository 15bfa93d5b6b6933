import { describe, expect, it, vi } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import { silentLog } from '../system/log.ts';
import type { DiskError, DiskStatus, Vm, VmExit } from '../vmm/port.ts';
import { DiskWatch } from './disk-watch.ts';

const NO_SPACE: DiskError = { diskId: 'disk-v', operation: 'write', isOutOfSpace: true, reason: 'No space left' };
const disk = (isOutOfSpace: boolean): DiskStatus => ({ id: 'disk-v', sizeBytes: 1, isOutOfSpace });

/** A VMM whose pool has space from the given try on. */
class FakeVm {
  resumed = 0;
  isDeaf = false;
  disks: DiskStatus[] = [disk(false)];
  report: (error: DiskError) => void = () => {};
  end: () => void = () => {};
  readonly spaceAfter: number;
  readonly vm: Vm;

  constructor(spaceAfter: number) {
    this.spaceAfter = spaceAfter;
    const exited = new Promise<VmExit>((resolve) => {
      this.end = () => resolve({ code: 0, signal: 0, lastWords: '' });
    });
    this.vm = {
      exited,
      disks: async () => this.disks,
      resume: async () => {
        this.resumed += 1;
        if (this.isDeaf) throw new Fault('timeout', 'no answer');
        const hasSpace = this.resumed >= this.spaceAfter;
        this.disks = [disk(!hasSpace)];
        if (!hasSpace) this.report(NO_SPACE);
      },
      onDiskError: (listener: FakeVm['report']) => {
        this.report = listener;
      },
    } as unknown as Vm;
  }
}

function watch(spaceAfter: number) {
  vi.useFakeTimers();
  const fake = new FakeVm(spaceAfter);
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  return { fake, watched: new DiskWatch({ sleep }, fake.vm, silentLog) };
}

describe('a VM that is out of space', () => {
  it('is let go on until it does, less and less often, and says so meanwhile', async () => {
    const { fake, watched } = watch(3);
    fake.report(NO_SPACE);
    expect(watched.isStopped).toBe(true);
    expect(watched.problemOf('disk-v')).toMatch(/^the pool is out of space/);
    expect(watched.problemOf('disk-w')).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1_000 + 500 + 2_000 + 500);
    expect(fake.resumed).toBe(2);
    expect(watched.isStopped).toBe(true);
    await vi.advanceTimersByTimeAsync(4_000 + 500);
    expect(fake.resumed).toBe(3);
    expect(watched.isStopped).toBe(false);
    expect(watched.problemOf('disk-v')).toBeUndefined();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fake.resumed).toBe(3);
  });

  it('is helped again the next time', async () => {
    const { fake, watched } = watch(1);
    for (const times of [1, 2]) {
      fake.report(NO_SPACE);
      await vi.advanceTimersByTimeAsync(1_500);
      expect(fake.resumed).toBe(times);
      expect(watched.isStopped).toBe(false);
    }
  });

  it('is found again by the shim that adopts it', async () => {
    const { fake, watched } = watch(1);
    fake.disks = [disk(true)];
    await watched.recall();
    expect(watched.problemOf('disk-v')).toMatch(/out of space/);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(watched.isStopped).toBe(false);
  });

  it('is helped by and by where the VMM is slow to answer', async () => {
    const { fake, watched } = watch(2);
    fake.report(NO_SPACE);
    fake.isDeaf = true;
    await vi.advanceTimersByTimeAsync(1_500);
    fake.isDeaf = false;
    await vi.advanceTimersByTimeAsync(2_500);
    expect(watched.isStopped).toBe(false);
  });

  it('is left alone when it has ended', async () => {
    const { fake } = watch(9);
    fake.report(NO_SPACE);
    fake.end();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fake.resumed).toBe(0);
  });
});

describe('any other error', () => {
  it('is noted with what the host said, and resumes nothing', async () => {
    const { fake, watched } = watch(1);
    fake.report({ ...NO_SPACE, isOutOfSpace: false, reason: 'Input/output error' });
    expect(watched.isStopped).toBe(false);
    expect(watched.problemOf('disk-v')).toMatch(/^a write failed at .*Input\/output error/);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fake.resumed).toBe(0);
  });
});
