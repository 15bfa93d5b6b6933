import { parseCniContainerId, parseIfName, parseNetworkName } from '../proto/ids.ts';
import type { Link } from '../runtime/system/netlink/link.ts';
import type { PodInterface } from './pod-interface.ts';
import type { WiringConfig } from './wiring-config.ts';

export const LINK: Link = {
  index: 3,
  name: 'eth0',
  hardwareType: 1,
  up: true,
  mtu: 1400,
  mac: '02:00:00:00:00:01',
  kind: 'veth',
  hasCarrier: true,
};
export const WIRING: WiringConfig = {
  mode: 'tc',
  macvtapMode: 'passthru',
  queues: 1,
  tapName: undefined,
  owner: undefined,
  bandwidth: undefined,
};
export const REQUEST = {
  network: parseNetworkName('net'),
  attachment: { containerId: parseCniContainerId('c1'), ifName: parseIfName('eth0'), netnsPath: '/run/netns/pod' },
  netnsId: '4:100',
  bootId: 'boot',
  dns: undefined,
  wiring: WIRING,
  surroundings: { reported: {}, earlierShaper: undefined, readsTimeStamps: false, hasIpv6: true },
  kataDanDir: undefined,
};
export const TAP: Link = {
  index: 4,
  name: 'berth3',
  hardwareType: 1,
  up: false,
  mtu: 1500,
  kind: 'tun',
  hasCarrier: false,
  tap: { isMultiQueue: false, hasVnetHeader: true, openQueues: 0 },
  alias: 'berth:net:c1:eth0',
};

export const ALIAS = 'berth:net:c1:eth0';

export const pod = (change: Partial<PodInterface> = {}): PodInterface => ({
  link: LINK,
  addresses: [],
  routes: [],
  neighbours: [],
  qdiscs: {},
  links: [LINK],
  untold: [],
  ...change,
});
