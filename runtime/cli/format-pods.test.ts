import { describe, expect, it } from 'vitest';
import { sandboxRecord } from '../../proto/sandbox-record.ts';
import { formatAge, formatPods } from './format-pods.ts';

const RECORD = {
  v: 2,
  id: 'pod1',
  podUid: 'uid-1',
  state: 'running',
  bundle: '/bundle',
  createdAtMs: 1_000_000,
  shim: { pid: 10, startTicks: 1 },
  vmm: { pid: 11, startTicks: 2 },
  choices: [],
  volumes: [
    { volumeId: 'pool.node.data', containerPath: '/data', serial: 's', volumeMode: 'Filesystem', readOnly: false },
  ],
  interfaces: [{ name: 'eth0', addresses: ['10.1.0.2/24', 'fd00::2/64'] }],
};

describe('the table of pods', () => {
  it('says what runs where, and that a pod without its shim is dead', () => {
    const running = sandboxRecord.decode(JSON.stringify(RECORD), 'test');
    const { vmm: _, ...rest } = running;
    const dead = { ...rest, id: 'p2' as typeof running.id, volumes: [], interfaces: [], alive: false };
    expect(formatPods([{ ...running, alive: true }, dead], 1_090_000)).toBe(
      [
        'POD   STATE    AGE  VMM  ADDRESSES                VOLUMES',
        'pod1  running  1m   11   10.1.0.2/24, fd00::2/64  pool.node.data at /data',
        'p2    dead     1m   -    -                        -',
        '',
      ].join('\n'),
    );
  });

  it.each([
    [-5, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [7_199_000, '1h'],
    [86_400_000 * 9, '9d'],
  ])('ages of %d ms', (ms, text) => {
    expect(formatAge(ms)).toBe(text);
  });
});
