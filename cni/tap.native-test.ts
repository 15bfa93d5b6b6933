import { spawnChild } from '../runtime/system/native/process.ts';
import { CLONE, O, sys } from '../runtime/system/native/sys.ts';
import { expectEqual, expectThrows, nativeTest } from '../runtime/system/native/testing.ts';
import { findLink } from '../runtime/system/netlink/link.ts';
import { openNetlink } from '../runtime/system/netlink/socket.ts';
import { ensureTap } from './tap.ts';

const SPEC = { alias: 'berth:net:pod:eth0', mtu: 1400, queues: 1, owner: undefined };

nativeTest('TAP: one that somebody makes after the interfaces were listed is not taken over', async () => {
  const before = sys.open('/proc/self/ns/net', O.RDONLY);
  sys.unshare(CLONE.NEWNET);
  const netlink = openNetlink();
  try {
    const argv = ['ip', 'tuntap', 'add', 'berth2', 'mode', 'tap', 'vnet_hdr'];
    expectEqual((await spawnChild({ argv, fds: [-1, 2, 2] }).exited).code, 0);
    const foreign = findLink(netlink, 'berth2');
    await expectThrows('exists', () => ensureTap(netlink, 'berth2', SPEC, undefined));
    expectEqual(findLink(netlink, 'berth2'), foreign);
    expectEqual(ensureTap(netlink, 'berth3', SPEC, undefined).name, 'berth3');
    expectEqual(findLink(netlink, 'berth3')?.alias, SPEC.alias);
  } finally {
    netlink.close();
    sys.setns(before, CLONE.NEWNET);
    sys.close(before);
  }
});
