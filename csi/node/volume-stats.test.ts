import { describe, expect, it } from 'vitest';
import { blankMeasurement, type KnownOfVolume, toVolumeStats } from './volume-stats.ts';

const known: KnownOfVolume = {
  volumeMode: 'Filesystem',
  measurement: {
    ...{ atMs: 100_000, deviceBytes: 1000, capacityBytes: 900, availableBytes: 500, usedBytes: 350 },
    ...{ inodes: 64, inodesFree: 60 },
  },
  problem: '',
  silence: '',
  nowMs: 100_400,
};
const bytes = { unit: 'BYTES', total: '900', available: '500', used: '350' };

describe('statistics of a volume', () => {
  it('are the guest’s: what is available is not what is free', () => {
    expect(toVolumeStats(known)).toEqual({
      usage: [bytes, { unit: 'INODES', total: '64', available: '60', used: '4' }],
      volume_condition: { abnormal: false, message: 'nothing is wrong with the volume' },
    });
  });

  it('have no inodes where the file system counts none', () => {
    const measurement = { ...known.measurement, inodes: 0, inodesFree: 0 };
    expect(toVolumeStats({ ...known, measurement }).usage).toEqual([bytes]);
  });

  it('of a block volume are the size of its disk', () => {
    expect(toVolumeStats({ ...known, volumeMode: 'Block' }).usage).toEqual([{ unit: 'BYTES', total: '1000' }]);
  });

  it.each([
    [{ problem: 'the pool is out of space' }, true, 'the pool is out of space'],
    [{ silence: 'the guest hangs', nowMs: 160_000 }, true, 'the guest hangs; the sizes are those of 60 s ago'],
    [{ nowMs: 102_000 }, false, 'the sizes are those of 2 s ago'],
  ])('%j: abnormal is %s', (differences, abnormal, message) => {
    expect(toVolumeStats({ ...known, ...differences }).volume_condition).toEqual({ abnormal, message });
  });

  it('carry no more words of a guest than a person reads, and none that gRPC cannot', () => {
    const { message } = toVolumeStats({ ...known, problem: `\ud800${'x'.repeat(1 << 20)}` }).volume_condition;
    expect(message).toHaveLength(2000);
    expect(() => encodeURI(message)).not.toThrow();
  });

  it('of a disk that no guest has had are those of an empty one', () => {
    expect(blankMeasurement(1000, 5)).toMatchObject({ capacityBytes: 1000, availableBytes: 1000, usedBytes: 0 });
  });
});
