import { describe, expect, it } from 'vitest';
import { sandboxRecord } from '../../proto/sandbox-record.ts';
import { formatAge, formatPods } from './format-pods.ts';

const place = (containerId: string, containerPath: string) => ({
  ...{ volumeId: 'pool.node.data', containerId, containerPath, serial: 's', volumeMode: 'Filesystem', readOnly: false },
});
const container = (id: string) => ({
  ...{ id, bundle: '/bundle', stdioId: 1, stdin: '', stdout: '', stderr: '', isStartAsked: true },
});

const RECORD = {
  v: 3,
  id: 'pod1',
  podUid: 'uid-1',
  state: 'running',
  bundle: '/bundle',
  createdAtMs: 1_000_000,
  shim: { pid: 10, startTicks: 1 },
  vmm: { pid: 11, startTicks: 2 },
  choices: [],
  volumes: [place('main', '/data')],
  containers: [container('main')],
  interfaces: [{ name: 'eth0', addresses: ['10.1.0.2/24', 'fd00::2/64'] }],
};

describe('the table of pods', () => {
  it('says what runs where, and that a pod without its shim is dead', () => {
    const running = sandboxRecord.decode(JSON.stringify(RECORD), 'test');
    const { vmm: _, ...rest } = running;
    const dead = { ...rest, id: 'p2' as typeof running.id, volumes: [], interfaces: [], containers: [], alive: false };
    expect(formatPods([{ ...running, alive: true }, dead], 1_090_000)).toBe(
      [
        'POD   STATE    AGE  VMM  CONTAINERS  ADDRESSES                VOLUMES',
        'pod1  running  1m   11   main        10.1.0.2/24, fd00::2/64  pool.node.data at /data',
        'p2    dead     1m   -    -           -                        -',
        '',
      ].join('\n'),
    );
  });

  it('says which of several containers has a volume where', () => {
    const volumes = [place('main', '/data'), place('log', '/in')];
    const record = { ...RECORD, volumes, containers: [container('main'), container('log')] };
    const pod = { ...sandboxRecord.decode(JSON.stringify(record), 'test'), alive: true };
    expect(formatPods([pod], 1_090_000)).toMatch(
      / main, log +.* pool\.node\.data at main:\/data, pool\.node\.data at log:\/in$/m,
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
