import { describe, expect, it } from 'vitest';
import { sandboxRecord } from '../../../proto/sandbox-record.ts';
import { judgePod, judgeProcesses, type PodFacts } from './pods.ts';

const record = sandboxRecord.decode(
  JSON.stringify({
    v: 3,
    id: 'p1',
    podUid: 'u1',
    state: 'running',
    bundle: '/b',
    createdAtMs: 1,
    shim: { pid: 10, startTicks: 1 },
    vmm: { pid: 11, startTicks: 1 },
    choices: [],
    volumes: [],
    interfaces: [],
    containers: [],
  }),
  'test',
);
const dead: PodFacts = {
  id: 'p1',
  directory: '/run/berth/pods/p1',
  record,
  problem: undefined,
  isServed: false,
  shimRuns: false,
  vmmRuns: false,
  processes: [],
};
const clear = async () => {};

describe('the directory of a pod', () => {
  it.each([
    ['a shim that runs', { shimRuns: true }],
    ['a shim that has yet to write its record', { isServed: true, record: undefined }],
  ])('is well with %s', (_, change) => {
    expect(judgePod({ ...dead, ...change }, clear)).toEqual([]);
  });

  it.each([
    ['nothing of it is alive', {}],
    ['its shim died before it wrote a record', { record: undefined }],
  ])('is cleared where %s', (_, change) => {
    const [finding] = judgePod({ ...dead, ...change }, clear);
    expect(finding).toMatchObject({ status: 'orphan', mend: 'berth stop p1', repair: { apply: clear } });
  });

  it.each([
    ['its VM runs', { vmmRuns: true }],
    ['a process still writes its log', { processes: [{ pid: 12, podId: 'p1' }] }],
    ['its record cannot be read', { record: undefined, problem: 'pod.json is not JSON' }],
  ])('is found, and left alone, where %s', (_, change) => {
    const findings = judgePod({ ...dead, ...change }, clear);
    expect(findings).toMatchObject([{ status: 'orphan' }]);
    expect(findings[0]?.repair).toBeUndefined();
  });
});

it('with a record that cannot be read is mended by an end of the VMMs that are seen to be its own', () => {
  const unreadable = { ...dead, record: undefined, problem: 'pod.json is not JSON' };
  const mend = (processes: PodFacts['processes']) => judgePod({ ...unreadable, processes }, clear)[0]?.mend;
  expect(mend([])).toBe('rm -r /run/berth/pods/p1');
  expect(mend([{ pid: 12, podId: 'p1' }])).toBe('kill 12; rm -r /run/berth/pods/p1');
});

describe('a VMM', () => {
  it.each([
    ['is its pod’s', 11, [dead], 0],
    ['is in no record', 12, [dead], 1],
    ['is yet to be recorded by its shim', 12, [{ ...dead, isServed: true, record: { ...record, vmm: undefined } }], 0],
    ['is in no record of a shim that has another', 12, [{ ...dead, isServed: true }], 1],
    ['has no pod', 11, [], 1],
    ['may be in a record that cannot be read', 11, [{ ...dead, record: undefined, problem: 'not JSON' }], 0],
  ])('that %s', (_, pid, pods, count) => {
    const findings = judgeProcesses([{ pid, podId: 'p1' }], pods);
    expect(findings).toHaveLength(count);
    expect(findings.filter(({ repair }) => repair !== undefined)).toEqual([]);
  });
});
