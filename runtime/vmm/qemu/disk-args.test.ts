import { describe, expect, it } from 'vitest';
import type { Disk, DiskTuning } from '../port.ts';
import { diskArgs } from './disk-args.ts';

const tuning: DiskTuning = { cache: 'writeback', aio: 'threads', queues: 2, iothread: false, discard: true };
const disk = (changes: Partial<DiskTuning> = {}, readOnly = false): Disk => ({
  id: 'disk-v',
  transport: 'virtio-blk',
  path: '/pool/v/image.raw',
  serial: 'v',
  readOnly,
  tuning: { ...tuning, ...changes },
});
const line = (of: Disk): string => diskArgs(of, of.path).join(' ');

describe('diskArgs', () => {
  it.each([
    [
      'what a class says by default',
      {},
      ['discard=unmap,cache.direct=off', 'file.aio=threads', 'num-queues=2,discard=on'],
    ],
    [
      'no page cache of the host',
      { cache: 'none', aio: 'native' },
      ['cache.direct=on,cache.no-flush=off', 'file.aio=native'],
    ],
    ['io_uring', { aio: 'io_uring' }, ['file.aio=io_uring']],
    [
      'discards that are neither obeyed nor offered',
      { discard: false },
      ['discard=ignore', 'num-queues=2,discard=off'],
    ],
    ['a thread of its own', { iothread: true }, ['-object iothread,id=disk-v-thread ', ',iothread=disk-v-thread,']],
  ] as const)('has %s', (_, changes, words) => {
    for (const word of words) expect(line(disk(changes))).toContain(word);
  });

  it.each([true, false])(
    'keeps what the guest flushed, stops it when there is no space, locks (read-only: %s)',
    (ro) => {
      const said = line(disk({ cache: 'none' }, ro));
      expect(said).toContain('cache.no-flush=off');
      expect(said).toContain('file.locking=on');
      expect(said).toContain('werror=enospc,rerror=report');
      expect(said).toContain(`read-only=${ro ? 'on' : 'off'}`);
    },
  );

  it('is a block device of the host where it is said so', () => {
    expect(line({ ...disk(), isDevice: true })).toContain('file.driver=host_device,');
    expect(line(disk())).toContain('file.driver=file,');
  });

  it('names the image as it is told, and lets no name add a property', () => {
    expect(diskArgs(disk(), '/dev/fdset/1,locking=off').join(' ')).toContain(
      'file.filename=/dev/fdset/1,,locking=off,',
    );
  });
});
