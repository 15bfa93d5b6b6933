/** The reservations are in the world's own /run. */
const IPAM = {
  type: 'host-local',
  dataDir: '/run/cni-ipam',
  ranges: [[{ subnet: '10.88.0.0/16' }]],
  routes: [{ dst: '0.0.0.0/0' }],
} as const;

/** With IPv6 the plugins wait a second or two for the search for duplicates. */
export const DUAL_STACK_IPAM = {
  ...IPAM,
  ranges: [...IPAM.ranges, [{ subnet: 'fd00:88::/64' }]],
  routes: [...IPAM.routes, { dst: '::/0' }],
} as const;

const PTP = { type: 'ptp', ipam: IPAM } as const;

/** Configurations of the plugins of containernetworking/plugins, alone or with what they need before them. */
export const REFERENCE_PLUGINS = {
  ptp: { config: PTP, before: [] },
  bridge: { config: { type: 'bridge', bridge: 'br0', isGateway: true, ipam: IPAM }, before: [] },
  macvlan: {
    config: { type: 'macvlan', master: 'up0', ipam: IPAM },
    before: [],
    prepare: `ip link show dev up0 >/dev/null 2>&1 || {
      ip link add up0 type veth peer name up1
      ip link set up0 up
      ip link set up1 up
    }`,
  },
  'host-device': {
    config: { type: 'host-device', device: 'host{{number}}', ipam: IPAM },
    before: [],
    prepare: 'ip link add host{{number}} type veth peer name peer{{number}}; ip link set peer{{number}} up',
  },
  tap: { config: { type: 'tap', ipam: IPAM }, before: [] },
  bandwidth: {
    config: { type: 'bandwidth', ingressRate: 1e6, ingressBurst: 1e6, egressRate: 1e6, egressBurst: 1e6 },
    before: [PTP],
  },
  tuning: {
    config: { type: 'tuning', dataDir: '/run/cni-tuning', mtu: 1400, sysctl: { 'net.core.somaxconn': '500' } },
    before: [PTP],
  },
  portmap: {
    config: {
      type: 'portmap',
      backend: 'iptables',
      snat: true,
      runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
    },
    before: [PTP],
  },
  firewall: { config: { type: 'firewall', backend: 'iptables' }, before: [PTP] },
} as const;
