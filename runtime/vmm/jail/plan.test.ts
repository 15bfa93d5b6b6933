import { describe, expect, it } from 'vitest';
import { MOUNT_ATTR } from '../../system/native/sys.ts';
import { type JailHost, planJail } from './plan.ts';
import { encodeJailRequest, type JailRequest, parseJailRequest } from './request.ts';

const MERGED: JailHost = {
  entries: {
    '/bin': { link: 'usr/bin' },
    '/sbin': { link: 'usr/sbin' },
    '/lib': { link: 'usr/lib' },
    '/lib64': { link: 'usr/lib64' },
  },
  hasLoaderCache: true,
  kvm: { major: 10, minor: 232 },
};
const request: JailRequest = {
  program: '/usr/bin/qemu-system-x86_64',
  guest: { kernel: '/opt/guest/vmlinux', initrd: '/opt/guest/initrd' },
  shares: [],
  kvm: false,
  inherited: 3,
  taps: [],
  endsWithParent: false,
};
const { RDONLY, NOSUID, NODEV, NOEXEC } = MOUNT_ATTR;
const plan = (changes: Partial<JailRequest> = {}, host = MERGED) => planJail({ ...request, ...changes }, host);
const shown = (changes: Partial<JailRequest> = {}, host = MERGED) =>
  plan(changes, host).binds.map(({ source, target }) => (source === target ? source : `${source} at ${target}`));

describe('the root of a jail', () => {
  it('has programs, libraries and what the guest boots, of any host', () => {
    const guest = ['/opt/guest/vmlinux at /guest/kernel', '/opt/guest/initrd at /guest/initrd'];
    expect(shown()).toEqual(['/usr', '/etc/ld.so.cache', ...guest]);
    expect(shown({ guest: undefined })).toEqual(['/usr', '/etc/ld.so.cache']);
    expect(plan().links).toContainEqual({ path: '/lib64', target: 'usr/lib64' });
    const unmerged: JailHost = {
      ...MERGED,
      entries: { '/bin': 'directory', '/lib': 'directory', '/sbin': null },
      hasLoaderCache: false,
    };
    expect(shown({}, unmerged)).toEqual(['/usr', '/bin', '/lib', ...guest]);
    expect(plan({}, unmerged).links).toEqual([]);
  });

  it('has shares, and the names of descriptors with them alone', () => {
    const shares = [{ id: 'rootfs', path: '/bundle/rootfs' }];
    expect(shown({ shares }).slice(4)).toEqual(['/bundle/rootfs at /share/rootfs', '/proc/self/fd']);
    expect(plan({ shares }).kept).toEqual([2]);
    expect(plan().kept).toEqual([]);
  });

  it('shows everything read-only, without set-uid programs and devices, and data without programs', () => {
    const { binds } = plan({ shares: [{ id: 'rootfs', path: '/bundle/rootfs' }] });
    for (const { source, attributes } of binds) {
      expect([source, attributes]).toEqual([source, RDONLY | NOSUID | NODEV | (source === '/usr' ? 0 : NOEXEC)]);
    }
  });

  it('has /dev/kvm for KVM alone', () => {
    expect(plan().devices.map(({ path }) => path)).toEqual(['/dev/null', '/dev/urandom']);
    expect(plan({ kvm: true }).devices).toContainEqual({ path: '/dev/kvm', major: 10, minor: 232 });
    expect(() => plan({ kvm: true }, { ...MERGED, kvm: null })).toThrow(/no \/dev\/kvm; load/);
  });

  it.each([
    ['/opt/qemu/bin/qemu', '/opt/qemu'],
    ['/var/cache/qemu-10/libexec/qemu', '/var/cache/qemu-10'],
    ['/opt/qemu/qemu', '/opt/qemu/qemu'],
    ['/root/bin/qemu', '/root/bin/qemu'],
    ['/qemu', '/qemu'],
  ])('has of %s no more than %s', (program, path) => {
    const own = plan({ program }).binds.filter(({ source }) => program.startsWith(source));
    expect(own).toEqual([
      { source: path, target: path, isDirectory: path !== program, attributes: RDONLY | NOSUID | NODEV },
    ]);
  });
});

describe('the request of a jail', () => {
  const tap = { kind: 'tap', name: 't', ifIndex: 3, queues: 2, isMultiQueue: true } as const;

  it('comes through as it was', () => {
    const all = { ...request, shares: [{ id: 'r', path: '/r' }], taps: [tap] };
    expect(parseJailRequest(encodeJailRequest(all))).toEqual(all);
  });

  it.each([
    ['{', 'is no JSON'],
    [JSON.stringify({ ...request, program: 'qemu' }), 'program'],
    [JSON.stringify({ ...request, taps: [{ ...tap, queues: 0 }] }), 'taps.0.queues'],
    [JSON.stringify({ ...request, taps: [{ ...tap, kind: 'veth' }] }), 'taps.0.kind'],
    [JSON.stringify({ ...request, taps: [{ ...tap, name: 'sixteen-letters-' }] }), 'is no name of an interface'],
    [JSON.stringify({ ...request, uid: 0 }), 'uid is an unknown key'],
  ])('%s is refused', (text, message) => {
    expect(() => parseJailRequest(text)).toThrow(message);
  });
});
