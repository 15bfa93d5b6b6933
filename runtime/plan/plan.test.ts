import { describe, expect, it } from 'vitest';
import { Fault, type FaultCode } from '../../proto/fault.ts';
import { parsePodUid, parseVolumeId } from '../../proto/ids.ts';
import { NO_POD } from '../../proto/volume-attachment.ts';
import { facts, network, request, spec, target, volume } from './plan.fixture.ts';
import { planPod } from './plan.ts';
import type { Plan, PlanFacts, PlanRequest } from './types.ts';

function plan(asked: PlanRequest, known: PlanFacts): Plan {
  const result = planPod(asked, known);
  if (result.kind === 'refusal') throw result.fault;
  return result.plan;
}

const ask = (name: string, containerPath = '/data', readOnly = false) => ({
  targetPath: target(name),
  containerPath,
  readOnly,
  subPath: '',
  isDevice: false,
});
const bindMount = (name: string, destination: string, ...options: string[]) => ({
  destination,
  type: 'bind',
  source: target(name),
  options,
});
const withMount = (mount: NonNullable<ReturnType<typeof spec>['mounts']>[number]) =>
  request({ spec: spec({ mounts: [mount] }) });

describe('a volume', () => {
  it('becomes a disk by its serial, a mount in the guest and a bind into the container', () => {
    const known = volume('v');
    const made = plan(request({ volumes: [ask('v')] }), facts({ volumes: [known] }));
    expect(made.vm.disks).toEqual([
      { id: 'root', transport: 'virtio-blk', path: '/guest/root-3.erofs', serial: 'berth-root', readOnly: true },
      {
        id: 'disk-s-v',
        transport: 'virtio-blk',
        path: '/pool/volumes/fast.n1.v/image.raw',
        serial: 's-v',
        readOnly: false,
        tuning: { cache: 'writeback', aio: 'threads', queues: 1, iothread: false, discard: true },
      },
    ]);
    expect(made.guest.volumes).toEqual([
      {
        facts: known,
        diskId: 'disk-s-v',
        readOnly: false,
        storage: {
          serial: 's-v',
          fsType: 'ext4',
          mountPoint: '/run/berth/volumes/s-v',
          options: [],
          readOnly: false,
          ownership: undefined,
        },
        places: [{ containerId: 'main', containerPath: '/data' }],
      },
    ]);
    expect(made.guest.containers[0]?.spec.mounts).toEqual([
      { destination: '/data', type: 'bind', source: '/run/berth/volumes/s-v', options: ['rbind', 'rw'] },
    ]);
    expect(made.choices[0]).toEqual({
      source: 'volume fast.n1.v',
      chosen: 'virtio-blk',
      reason: 'block volume, and the VMM can attach it',
    });
  });

  it('comes as well from a bind mount of config.json, which keeps its place and its other options', () => {
    const proc = { destination: '/proc', type: 'proc', source: 'proc' };
    const asked = request({ spec: spec({ mounts: [bindMount('v', '/data', 'rbind', 'rprivate', 'rw'), proc] }) });
    const made = plan(asked, facts({ volumes: [volume('v')] }));
    expect(made.guest.containers[0]?.spec.mounts).toEqual([
      { destination: '/data', type: 'bind', source: '/run/berth/volumes/s-v', options: ['rprivate', 'rbind', 'rw'] },
      proc,
    ]);
    expect(made.vm.disks).toHaveLength(2);
  });

  it('that is asked for twice is one disk with two binds, each as writable as it was asked for', () => {
    const asked = request({ volumes: [ask('v', '/data'), ask('v', '/copy', true)] });
    const made = plan(asked, facts({ volumes: [volume('v')] }));
    expect(made.vm.disks.map(({ serial, readOnly }) => [serial, readOnly])).toEqual([
      ['berth-root', true],
      ['s-v', false],
    ]);
    expect(made.guest.volumes.map(({ places }) => places.map(({ containerPath }) => containerPath))).toEqual([
      ['/data', '/copy'],
    ]);
    expect(made.guest.containers[0]?.spec.mounts?.map(({ options }) => options?.at(-1))).toEqual(['rw', 'ro']);
  });

  it('that was published without a pod serves any', () => {
    const known = volume('v', { attachment: { podUid: parsePodUid(NO_POD) } });
    expect(plan(request({ volumes: [ask('v')] }), facts({ volumes: [known] })).vm.disks).toHaveLength(2);
  });

  it.each([
    ['the attachment', { attachment: { readOnly: true } }, false, 'it is published read-only'],
    ['its access mode', { attachment: { accessMode: 'SINGLE_NODE_READER_ONLY' } }, false, 'it is published read-only'],
    ['its mount options', { attachment: { mountFlags: ['noatime,ro'] } }, false, 'it is published read-only'],
    ['the request', {}, true, 'it is asked for read-only'],
  ] as const)('is a read-only disk if %s says so', (_by, changes, readOnly, why) => {
    const { attachment, ...others } = { attachment: {}, ...changes };
    const flags = 'mountFlags' in attachment ? { ...attachment, mountFlags: [...attachment.mountFlags] } : attachment;
    const known = facts({ volumes: [volume('v', { ...others, attachment: flags })] });
    const made = plan(request({ volumes: [ask('v', '/data', readOnly)] }), known);
    expect(made.vm.disks[1]?.readOnly).toBe(true);
    expect(made.guest.volumes[0]?.storage?.readOnly).toBe(true);
    expect(made.guest.containers[0]?.spec.mounts?.[0]?.options).toEqual(['rbind', 'ro']);
    expect(made.choices[0]?.chosen).toBe('virtio-blk, read-only');
    expect(made.choices[0]?.reason).toContain(why);
  });

  it('that is blank stays writable, to be formatted, though the container reads only', () => {
    const made = plan(
      request({ volumes: [ask('v', '/data', true)] }),
      facts({ volumes: [volume('v', { state: 'never' })] }),
    );
    expect(made.vm.disks[1]?.readOnly).toBe(false);
    expect(made.guest.containers[0]?.spec.mounts?.[0]?.options).toEqual(['rbind', 'ro']);
  });
});

const many = (count: number) => Array.from({ length: count }, (_, index) => `v${index}`);
const oneVolume = facts({ volumes: [volume('v')] });
const mountedAtTarget = (fsType: string, source: string) =>
  facts({ volumes: [volume('v')], mounts: new Map([[target('v'), { fsType, source, root: '/' }]]) });

/** What is refused: the request, the facts, the code and what the message must say. */
const refusals: Record<string, [PlanRequest, PlanFacts, FaultCode, RegExp]> = {
  'a target that nothing was published at': [
    request({ volumes: [ask('v')] }),
    facts(),
    'precondition',
    /v\/mount: no volume is published there for pod pod-a; publish it/,
  ],
  'a volume of another pod': [
    request({ volumes: [ask('v')] }),
    facts({ volumes: [volume('v', { attachment: { podUid: parsePodUid('pod-b') } })] }),
    'precondition',
    /published for pod pod-b; none is published there for pod pod-a/,
  ],
  'a target where nothing is mounted': [
    request({ volumes: [ask('v')] }),
    facts({ volumes: [volume('v')], mounts: new Map() }),
    'precondition',
    /fast\.n1\.v: nothing is mounted at .* where berth's placeholder berth:fast\.n1\.v belongs/,
  ],
  'a target with another file system': [
    request({ volumes: [ask('v')] }),
    mountedAtTarget('ext4', '/dev/loop0'),
    'precondition',
    /ext4 of \/dev\/loop0 is mounted/,
  ],
  'a target with the placeholder of another volume': [
    request({ volumes: [ask('v')] }),
    mountedAtTarget('tmpfs', 'berth:fast.n1.w'),
    'precondition',
    /tmpfs of berth:fast\.n1\.w is mounted/,
  ],
  'a volume directory that belongs to another volume': [
    request({ volumes: [ask('v')] }),
    facts({ volumes: [{ ...volume('v'), spec: { ...volume('v').spec, volumeId: parseVolumeId('fast.n1.w') } }] }),
    'precondition',
    /\/pool\/volumes\/fast\.n1\.v belongs to volume fast\.n1\.w/,
  ],
  'a placeholder in config.json without a record': [
    withMount(bindMount('v', '/data', 'rbind')),
    facts({ mounts: new Map([[target('v'), { fsType: 'tmpfs', source: 'berth:fast.n1.v', root: '/' }]]) }),
    'precondition',
    /no volume is published there/,
  ],
  'a blank volume that is published read-only': [
    request({ volumes: [ask('v')] }),
    facts({ volumes: [volume('v', { state: 'never', attachment: { readOnly: true } })] }),
    'precondition',
    /fast\.n1\.v was never formatted and is published read-only/,
  ],
  'a volume where the VMM has no virtio-blk': [
    request({ volumes: [ask('v')] }),
    facts({ volumes: [volume('v')], capabilities: { ...facts().capabilities, virtioBlk: false } }),
    'unsupported',
    /fast\.n1\.v: this VMM \(QEMU 7\.2\.22\) cannot attach/,
  ],
  'two volumes at one place': [
    request({ volumes: [ask('v', '/data'), ask('w', '/data/')] }),
    facts({ volumes: [volume('v'), volume('w')] }),
    'invalid',
    /\/data\/ is asked for by two volumes/,
  ],
  'two volumes of one serial': [
    request({ volumes: [ask('v', '/a'), ask('w', '/b')] }),
    facts({ volumes: [volume('v', { serial: 'same' }), volume('w', { serial: 'same' })] }),
    'precondition',
    /fast\.n1\.w and volume fast\.n1\.v have the same disk serial same/,
  ],
  'a volume with the serial of the root disk': [
    request({ volumes: [ask('v')] }),
    facts({ volumes: [volume('v', { serial: 'berth-root' })] }),
    'precondition',
    /the root disk have the same disk serial berth-root/,
  ],
  'one volume with two sets of mount options': [
    request({ volumes: [ask('v', '/a'), ask('w', '/b')] }),
    facts({
      volumes: [
        volume('v', { attachment: { mountFlags: ['noatime'] } }),
        volume('v', { attachment: { targetPath: target('w') } }),
      ],
    }),
    'precondition',
    /different mount options/,
  ],
  '25 volumes': [
    request({ volumes: many(25).map((name) => ask(name, `/${name}`)) }),
    facts({ volumes: many(25).map((name) => volume(name)) }),
    'exhausted',
    /25 volumes, but a pod VM takes at most 24/,
  ],
  'more devices than places': [
    request({ volumes: many(24).map((name) => ask(name, `/${name}`)) }),
    facts({
      volumes: many(24).map((name) => volume(name)),
      networks: ['a', 'bb', 'ccc'].map((name) => network(name)),
    }),
    'exhausted',
    /31 devices \(25 disks, 3 NICs, 1 container roots\), but its VM has 30/,
  ],
  'a relative container path': [request({ volumes: [ask('v', 'data')] }), oneVolume, 'invalid', /"data" cannot take/],
  'the container root as path': [request({ volumes: [ask('v', '//')] }), oneVolume, 'invalid', /"\/\/" cannot take/],
  'a container path that climbs': [
    request({ volumes: [ask('v', '/a/../..')] }),
    oneVolume,
    'invalid',
    /without "\.\."/,
  ],
  'a bind of a host directory': [
    withMount({ destination: '/etc/hosts', type: 'bind', source: '/etc/hosts', options: ['rbind'] }),
    facts(),
    'unsupported',
    /mount \/etc\/hosts binds \/etc\/hosts of the host/,
  ],
  'a bind that calls itself none': [
    withMount({ destination: '/sys', type: 'none', source: '/sys', options: ['rbind', 'ro'] }),
    facts(),
    'unsupported',
    /mount \/sys binds \/sys of the host/,
  ],
  'a file system of the host': [
    withMount({ destination: '/nfs', type: 'nfs', source: 'server:/' }),
    facts(),
    'unsupported',
    /mount \/nfs of type nfs cannot enter/,
  ],
  'a mount without a type': [withMount({ destination: '/x' }), facts(), 'unsupported', /mount \/x of no type/],
  'a root that does not exist': [
    request(),
    facts({ root: 'absent' }),
    'not-found',
    /\/bundles\/a\/rootfs does not exist/,
  ],
  'a root that is no directory': [request(), facts({ root: 'other' }), 'unsupported', /\/bundles\/a\/rootfs is no dir/],
  'a root where the VMM has no 9p': [
    request(),
    facts({ capabilities: { ...facts().capabilities, nineP: false } }),
    'unsupported',
    /cannot share a directory by 9p/,
  ],
  'an interface that is half wired': [
    request(),
    facts({ networks: [network('eth0', { state: 'wiring', nic: undefined })] }),
    'precondition',
    /pods:box:eth0 is wiring, not wired to its end; run CNI ADD again/,
  ],
  'two interfaces of one name': [
    request(),
    facts({ networks: [network('eth0'), network('eth0')] }),
    'precondition',
    /name eth0/,
  ],
  'two interfaces of one MAC address': [
    request(),
    facts({ networks: [network('eth0'), network('eth1')] }),
    'precondition',
    /MAC address 02:00:00:00:00:04/,
  ],
  'an accelerator that is not there': [
    request({ accelerator: 'kvm' }),
    facts({ accelerator: { chosen: 'kvm', reason: 'asked for' } }),
    'unsupported',
    /accelerator kvm is not to be had on this host; it offers: tcg/,
  ],
  'too little memory': [request({ memoryMib: 127 }), facts(), 'invalid', /127 MiB, but .* at least 128/],
  'half a CPU': [request({ vcpus: 0.5 }), facts(), 'invalid', /vcpus is 0\.5/],
  'no CPU': [request({ vcpus: 0 }), facts(), 'invalid', /vcpus is 0/],
  'a run directory that is too long for sockets': [
    request(),
    facts({ paths: { ...facts().paths, stdioSocket: `/${'ü'.repeat(60)}` } }),
    'invalid',
    /has 121 bytes, but a socket's path has at most 107/,
  ],
};

describe('planPod refuses', () => {
  it.each(Object.entries(refusals))('%s', (_what, [asked, known, code, message]) => {
    const result = planPod(asked, known);
    expect(result.kind === 'refusal' ? result.fault : result).toBeInstanceOf(Fault);
    if (result.kind !== 'refusal') return;
    expect(result.fault.message).toMatch(message);
    expect(result.fault.code).toBe(code);
  });

  it('nothing that fits: 24 volumes and two interfaces', () => {
    const asked = request({ volumes: many(24).map((name) => ask(name, `/${name}`)) });
    const known = facts({
      volumes: many(24).map((name) => volume(name)),
      networks: [network('a'), network('bb')],
    });
    expect(plan(asked, known).vm.disks).toHaveLength(25);
  });
});

describe('the machine', () => {
  it('boots the guest image with what the request and the paths of the pod say', () => {
    const { vm, guest, choices } = plan(request({ vcpus: 2 }), facts());
    expect(vm).toMatchObject({
      name: 'box',
      vcpus: 2,
      memoryMib: 256,
      kernel: '/guest/vmlinux-1',
      initrd: '/guest/initrd-2',
      ports: [
        { name: 'berth.control', socket: '/run/berth/pods/box/control.sock' },
        { name: 'berth.stdio', socket: '/run/berth/pods/box/stdio.sock' },
      ],
      controlSocket: '/run/berth/pods/box/qmp.sock',
      console: '/run/berth/pods/box/console.log',
      shares: [{ id: 'rootfs-0', transport: '9p', tag: 'rootfs-0', path: '/bundles/a/rootfs' }],
    });
    expect(guest).toMatchObject({ hostname: 'box', containers: [{ id: 'main', rootfs: { shareTag: 'rootfs-0' } }] });
    expect(choices).toEqual([
      {
        source: 'root /bundles/a/rootfs',
        chosen: '9p, read-only',
        reason: 'directory root: shared read-only by 9p; writes stay in guest memory',
      },
      { source: 'accelerator', chosen: 'tcg', reason: 'asked for' },
    ]);
  });

  it('takes an absolute root, its read-only flag and the host name from config.json', () => {
    const asked = request({ spec: spec({ root: { path: '/roots/b', readonly: true }, hostname: 'web-0' }) });
    const { vm, guest } = plan(asked, facts());
    expect(vm.shares[0]?.path).toBe('/roots/b');
    expect(guest).toMatchObject({ hostname: 'web-0', containers: [{ spec: { root: { readonly: true } } }] });
  });
});
