import { describe, expect, it } from 'vitest';
import { type ModuleIndex, moduleName, planModuleOrder } from './module-order.ts';

/** As depmod writes it for Debian's kernel 6.12, shortened. */
const DEBIAN: ModuleIndex = {
  dep: [
    'kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz kernel/fs/mbcache.ko.xz kernel/fs/jbd2/jbd2.ko.xz',
    'kernel/fs/jbd2/jbd2.ko.xz:',
    'kernel/fs/mbcache.ko.xz:',
    'kernel/lib/crc16.ko.xz:',
    'kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz',
    'kernel/lib/libcrc32c.ko.xz:',
    'kernel/crypto/crc32c_generic.ko.xz:',
    'kernel/arch/x86/crypto/crc32c-intel.ko.xz:',
    'kernel/drivers/net/virtio_net.ko.xz: kernel/drivers/net/net_failover.ko.xz kernel/net/core/failover.ko.xz',
    'kernel/drivers/net/net_failover.ko.xz: kernel/net/core/failover.ko.xz',
    'kernel/net/core/failover.ko.xz:',
  ].join('\n'),
  softdep: [
    '# Soft dependencies extracted from modules themselves.',
    'softdep ext4 pre: crypto-crc32c',
    'softdep jbd2 pre: crypto-crc32c',
    'softdep libcrc32c pre: crc32c',
    'softdep virtio_net post: nothing-of-ours',
  ].join('\n'),
  alias: [
    '# Aliases extracted from modules themselves.',
    'alias crypto-crc32c crc32c_intel',
    'alias crc32c crc32c_intel',
    'alias cpu:type:x86,ven*fam*mod*:feature:*0094* crc32c_intel',
    'alias crypto-crc32c crc32c_generic',
    'alias crc32c crc32c_generic',
  ].join('\n'),
  builtin: 'kernel/drivers/virtio/virtio_pci.ko\nkernel/drivers/char/virtio_console.ko\n',
};

const order = (...wanted: string[]): string[] => planModuleOrder(DEBIAN, wanted).map(moduleName);

describe('module order', () => {
  it('loads what a module needs before it, the last of modules.dep first', () => {
    expect(order('virtio_net')).toEqual(['failover', 'net_failover', 'virtio_net']);
  });

  it('follows soft dependencies to the provider that runs on every CPU', () => {
    expect(order('erofs')).toEqual(['crc32c_generic', 'libcrc32c', 'erofs']);
    expect(order('ext4')).toEqual(['crc32c_generic', 'jbd2', 'mbcache', 'crc16', 'ext4']);
  });

  it('names a module once, however many need it', () => {
    const names = order('erofs', 'ext4', 'erofs');
    expect(names).toEqual([...new Set(names)]);
  });

  it('leaves out what the kernel contains, under either spelling', () => {
    expect(order('virtio-pci', 'virtio_console')).toEqual([]);
  });

  it('gives paths as modules.dep has them', () => {
    expect(planModuleOrder(DEBIAN, ['crc32c-intel'])).toEqual(['kernel/arch/x86/crypto/crc32c-intel.ko.xz']);
  });

  it('ends when two modules want each other softly', () => {
    const softdep = 'softdep jbd2 pre: mbcache\nsoftdep mbcache pre: jbd2';
    expect(planModuleOrder({ ...DEBIAN, softdep }, ['jbd2']).map(moduleName)).toEqual(['mbcache', 'jbd2']);
  });

  it('names the module that is missing and what needs it', () => {
    expect(() => order('btrfs')).toThrow('kernel module btrfs, needed by the guest image, is missing');
    const dep = 'kernel/a.ko: kernel/b.ko';
    expect(() => planModuleOrder({ ...DEBIAN, dep }, ['a'])).toThrow('kernel module b, needed by a, is missing');
  });
});
