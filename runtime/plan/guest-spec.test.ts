import { describe, expect, it } from 'vitest';
import { planGuestSpec } from './guest-spec.ts';
import { planMounts } from './mounts.ts';
import { container, facts, request, spec } from './plan.fixture.ts';

const MOUNTS_OF_THE_GUEST = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] },
  { destination: '/dev/pts', type: 'devpts', source: 'devpts' },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue' },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro'] },
  { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' },
  { destination: '/cg', type: 'cgroup2', source: 'cgroup2' },
];
const NETNS = '/run/netns/a';
const RESOLV_CONF = {
  destination: '/etc/resolv.conf',
  type: 'bind',
  source: '/run/berth/resolv.conf',
  options: ['rbind', 'ro'],
};

describe('planMounts', () => {
  it('passes on what the guest makes by itself, unchanged', () => {
    const asked = container('main', { spec: spec({ mounts: MOUNTS_OF_THE_GUEST }) });
    expect(planMounts(asked, request(), facts(), false).mounts).toEqual(MOUNTS_OF_THE_GUEST);
  });

  it('adds resolv.conf where DNS is known and the bundle mounts nothing there', () => {
    expect(planMounts(container('main'), request(), facts(), true).mounts).toEqual([RESOLV_CONF]);
    const own = { destination: '/etc/resolv.conf', type: 'tmpfs', source: 'tmpfs' };
    const asked = container('main', { spec: spec({ mounts: [own] }) });
    expect(planMounts(asked, request(), facts(), true).mounts).toEqual([own]);
  });
});

describe('planGuestSpec', () => {
  it('moves root and cgroup into the guest, and the container into its network namespace', () => {
    const given = spec({
      process: { args: ['sh'], user: { uid: 7 } },
      root: { path: 'rootfs', readonly: true },
      hooks: { prestart: [] },
      annotations: { a: 'b' },
      linux: {
        cgroupsPath: '/kubepods/x',
        namespaces: [{ type: 'pid' }, { type: 'network', path: '/run/netns/a' }, { type: 'mount' }],
        resources: { devices: [{ allow: false, access: 'rwm' }] },
      },
    });
    expect(planGuestSpec(container('main', { spec: given }), NETNS, [RESOLV_CONF])).toEqual({
      ociVersion: '1.2.0',
      process: { args: ['sh'], user: { uid: 7 } },
      root: { path: '/run/berth/containers/main/rootfs', readonly: true },
      annotations: { a: 'b' },
      mounts: [RESOLV_CONF],
      linux: {
        cgroupsPath: '/berth/main',
        namespaces: [{ type: 'pid' }, { type: 'mount' }],
        resources: { devices: [{ allow: false, access: 'rwm' }] },
      },
    });
  });

  it.each([
    ['a terminal', { process: { args: ['sh'], terminal: true } }, /process\.terminal: a pod VM offers no terminal/],
    ['a hook', { hooks: { poststop: [{ path: '/bin/hook' }] } }, /hooks\.poststop: a program of the host/],
    [
      'a namespace of the host',
      { linux: { namespaces: [{ type: 'ipc', path: '/proc/1/ns/ipc' }] } },
      /the ipc namespace \/proc\/1\/ns\/ipc of the host/,
    ],
    [
      'a network other than the pod’s',
      { linux: { namespaces: [{ type: 'network', path: '/run/netns/b' }] } },
      /the network namespace \/run\/netns\/b of the host .* \(berth run --netns\)/,
    ],
    ['no PID namespace', { linux: { namespaces: [{ type: 'mount' }] } }, /shares no PID namespace/],
    ['no namespaces at all', { linux: {} }, /shares no PID namespace/],
    ['a device of the host', { linux: { devices: [{ path: '/dev/sda' }] } }, /linux\.devices: \/dev\/sda of the host/],
  ])('refuses %s', (_what, changes, message) => {
    expect(() => planGuestSpec(container('main', { spec: spec(changes) }), NETNS, [])).toThrow(message);
  });
});
