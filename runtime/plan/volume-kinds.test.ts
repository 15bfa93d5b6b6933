import { describe, expect, it } from 'vitest';
import type { FaultCode } from '../../proto/fault.ts';
import { parsePodUid } from '../../proto/ids.ts';
import { DEFAULT_CLASS, NO_LIMITS, type VolumeClass } from '../../proto/volume-class.ts';
import { facts, request, spec, target, volume } from './plan.fixture.ts';
import { planPod } from './plan.ts';
import type { HostMount, Plan, PlanFacts, PlanRequest, VolumeFacts, VolumeRequest } from './types.ts';

function plan(asked: PlanRequest, known: PlanFacts): Plan {
  const result = planPod(asked, known);
  if (result.kind === 'refusal') throw result.fault;
  return result.plan;
}

const ask = (changes: Partial<VolumeRequest> = {}) =>
  request({
    volumes: [
      { targetPath: target('v'), containerPath: '/data', readOnly: false, subPath: '', isDevice: false, ...changes },
    ],
    vcpus: 4,
  });
const ofClass = (changes: Partial<VolumeClass>, limits = NO_LIMITS): VolumeFacts => {
  const known = volume('v');
  return { ...known, spec: { ...known.spec, class: { ...DEFAULT_CLASS, ...changes }, limits } };
};
const block = (changes: Parameters<typeof volume>[1] = {}): VolumeFacts =>
  volume('v', {
    ...changes,
    attachment: { volumeMode: 'Block', device: { major: 7, minor: 3 }, ...changes.attachment },
  });

describe('the class of a volume', () => {
  it.each<[string, Partial<VolumeClass>, object, RegExp]>([
    ['nothing', {}, { cache: 'writeback', aio: 'threads', queues: 4, iothread: false, discard: true }, /attach it$/],
    ['cache none', { cache: 'none', aio: 'native' }, { cache: 'none', aio: 'native' }, /: cache none, aio native$/],
    ['io_uring', { aio: 'io_uring' }, { aio: 'io_uring' }, /: aio io_uring$/],
    ['fewer queues than processors', { queues: 2 }, { queues: 2 }, /: 2 queues$/],
    ['more queues than processors', { queues: 9 }, { queues: 4 }, /: 4 queues$/],
    ['a thread', { iothread: true }, { iothread: true }, /: a thread of its own$/],
    ['no discard', { discard: false }, { discard: false }, /: no discard$/],
    ['thick', { provisioning: 'thick' }, { discard: false }, /: no discard$/],
  ])('says %s', (_, changes, tuning, reason) => {
    const made = plan(ask(), facts({ volumes: [ofClass(changes)] }));
    expect(made.vm.disks[1]?.tuning).toMatchObject(tuning);
    expect(made.choices[0]?.reason).toMatch(reason);
  });

  it('that wants io_uring is refused where there is none, with the way out', () => {
    const capabilities = { ...facts().capabilities, ioUring: false };
    const result = planPod(ask(), facts({ volumes: [ofClass({ aio: 'io_uring' })], capabilities }));
    expect(result).toMatchObject({ kind: 'refusal', fault: { code: 'unsupported' } });
    expect(result.kind === 'refusal' && result.fault.message).toMatch(/cannot use on this host; use a class with aio/);
  });

  it('and its limits are told', () => {
    const known = ofClass({}, { iops: 100, bandwidthBytes: 1 << 20 });
    expect(plan(ask(), facts({ volumes: [known] })).choices[0]?.reason).toMatch(
      /: at most 100 operations\/s, at most 1048576 bytes\/s$/,
    );
  });
});

describe('the group of a pod', () => {
  it('gets the content, by the policy of the class', () => {
    const known = volume('v', { attachment: { fsGroup: 2000 } });
    const storage = plan(ask(), facts({ volumes: [known] })).guest.volumes[0]?.storage;
    expect(storage?.ownership).toEqual({ gid: 2000, policy: 'OnRootMismatch' });
  });

  it('gets nothing of a volume that the guest cannot write', () => {
    const known = volume('v', { attachment: { fsGroup: 2000, readOnly: true } });
    expect(plan(ask(), facts({ volumes: [known] })).guest.volumes[0]?.storage?.ownership).toBeUndefined();
  });
});

describe('a part of a volume', () => {
  const mounted = (mount: Partial<HostMount>, path = target('v')) =>
    facts({
      volumes: [volume('v')],
      mounts: new Map([[path, { fsType: 'tmpfs', source: 'berth:fast.n1.v', root: '/', ...mount }]]),
    });
  const KUBELETS = '/var/lib/kubelet/pods/a/volume-subpaths/data/web/0';

  it.each<[string, PlanRequest, PlanFacts, string]>([
    ['is asked for beside the target', ask({ subPath: 'logs/web' }), mounted({}), 'logs/web'],
    [
      'is what kubelet shows of the placeholder',
      ask({ targetPath: KUBELETS }),
      mounted({ root: '/a b/c' }, KUBELETS),
      'a b/c',
    ],
    [
      'is below what kubelet shows',
      ask({ targetPath: KUBELETS, subPath: './d/' }),
      mounted({ root: '/c' }, KUBELETS),
      'c/d',
    ],
  ])('%s', (_, asked, known, subPath) => {
    const { guest, vm } = plan(asked, known);
    expect(guest.containers[0]?.binds).toEqual([{ name: 'volume-0', serial: 's-v', subPath }]);
    expect(guest.containers[0]?.spec.mounts).toEqual([
      {
        destination: '/data',
        type: 'bind',
        source: '/run/berth/containers/main/binds/volume-0',
        options: ['rbind', 'rw'],
      },
    ]);
    expect(vm.disks).toHaveLength(2);
  });

  it('comes as well from a mount of config.json', () => {
    const mount = { destination: '/data', type: 'bind', source: KUBELETS, options: ['rbind', 'ro'] };
    const { guest } = plan(request({ spec: spec({ mounts: [mount] }) }), mounted({ root: '/c' }, KUBELETS));
    expect(guest.containers[0]?.binds).toEqual([{ name: 'mount-0', serial: 's-v', subPath: 'c' }]);
    expect(guest.containers[0]?.spec.mounts?.[0]?.options).toEqual(['rbind', 'ro']);
  });

  it.each<[string, PlanRequest, PlanFacts, FaultCode, RegExp]>([
    ['climbs', ask({ subPath: 'a/../..' }), mounted({}), 'invalid', /must lie in its volume/],
    [
      'was removed',
      ask({ targetPath: KUBELETS }),
      mounted({ root: '/c//deleted' }, KUBELETS),
      'precondition',
      /was removed/,
    ],
    [
      'is of no placeholder',
      ask({ targetPath: KUBELETS }),
      mounted({ fsType: 'ext4' }, KUBELETS),
      'precondition',
      /ext4 of/,
    ],
    [
      'is of a volume of another pod',
      { ...ask({ targetPath: KUBELETS }), podUid: parsePodUid('pod-b') },
      mounted({ root: '/c' }, KUBELETS),
      'precondition',
      /no volume is published there for pod pod-b/,
    ],
    [
      'only calls itself one of the volume',
      ask({ targetPath: KUBELETS }),
      mounted({ source: 'berth:fast.n1.v2' }, KUBELETS),
      'precondition',
      /no volume is published there/,
    ],
  ])('is refused if it %s', (_, asked, known, code, message) => {
    expect(planPod(asked, known)).toMatchObject({
      kind: 'refusal',
      fault: { code, message: expect.stringMatching(message) },
    });
  });
});

describe('a block volume', () => {
  const device = { isDevice: true, containerPath: '/dev/xvda' } as const;
  const ofSpec = (access: string) =>
    request({
      spec: spec({
        linux: {
          namespaces: [{ type: 'pid' }],
          devices: [{ path: '/dev/xvda', type: 'b', major: 7, minor: 3 }],
          resources: {
            devices: [
              { allow: false, access: 'rwm' },
              { allow: true, type: 'b', major: 7, minor: 3, access },
            ],
          },
        },
      }),
    });

  it('is a disk and a device node, and no mount', () => {
    const { guest, vm } = plan(ask(device), facts({ volumes: [block({ state: 'never' })] }));
    expect(vm.disks[1]).toMatchObject({ serial: 's-v', readOnly: false });
    expect(guest.volumes[0]?.storage).toBeUndefined();
    expect(guest.containers[0]?.devices).toEqual([{ serial: 's-v', path: '/dev/xvda', readOnly: false }]);
    expect(guest.containers[0]?.spec.mounts).toEqual([]);
  });

  it.each<[string, PlanRequest, PlanFacts]>([
    ['it is asked for so', ask({ ...device, readOnly: true }), facts({ volumes: [block()] })],
    ['it is published so', ask(device), facts({ volumes: [block({ attachment: { readOnly: true } })] })],
    ['the rule of config.json says so', ofSpec('rm'), facts({ volumes: [block()] })],
  ])('is read-only if %s, blank or not', (_, asked, known) => {
    const { guest, vm } = plan(asked, known);
    expect(vm.disks[1]?.readOnly).toBe(true);
    expect(guest.containers[0]?.devices[0]?.readOnly).toBe(true);
  });

  it('is found by the number of its placeholder, which does not enter the guest', () => {
    const { guest } = plan(ofSpec('rwm'), facts({ volumes: [block()] }));
    expect(guest.containers[0]?.devices).toEqual([{ serial: 's-v', path: '/dev/xvda', readOnly: false }]);
    expect(guest.containers[0]?.spec.linux?.devices).toEqual([]);
    expect(guest.containers[0]?.spec.linux?.resources?.devices).toEqual([{ allow: false, access: 'rwm' }]);
  });

  it.each<[string, PlanRequest, PlanFacts, RegExp]>([
    ['as a file system', ask(), facts({ volumes: [block()] }), /published at .* as a block device; .*--device/],
    ['in Filesystem mode as a device', ask(device), facts({ volumes: [volume('v')] }), /as a file system; .*--volume/],
    [
      'whose device is another by now',
      ask(device),
      facts({ volumes: [block()], devices: new Map([[target('v'), { major: 7, minor: 4 }]]) }),
      /is not the device node of berth's placeholder/,
    ],
    [
      'of another pod by its number',
      { ...ofSpec('rw'), podUid: parsePodUid('pod-b') },
      facts({ volumes: [block()] }),
      /no volume of this pod/,
    ],
  ])('is refused %s', (_, asked, known, message) => {
    const result = planPod(asked, known);
    expect(result.kind === 'refusal' ? result.fault.message : '').toMatch(message);
  });
});

describe('what the disk holds', () => {
  it.each(['formatted', 'raw'] as const)('may be read only where it is %s', (state) => {
    const known = volume('v', { state, attachment: { accessMode: 'MULTI_NODE_READER_ONLY' } });
    expect(plan(ask(), facts({ volumes: [known] })).vm.disks[1]?.readOnly).toBe(true);
  });
});
