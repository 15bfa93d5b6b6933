import { findExecutable } from '../core/find-executable.ts';
import type { Peer } from '../core/suite.ts';

/** The reference plugin of the CNI project that makes a pod's interface, with its IPAM plugin as a second process. */
export const peer: Peer = {
  name: 'ptp + host-local',
  role: 'cni-plugin',
  locate: () => findExecutable('/usr/lib/cni/ptp'),
  wayOut: "Debian's package containernetworking-plugins",
  settings: {
    isChained: false,
    config: {
      type: 'ptp',
      ipam: {
        type: 'host-local',
        dataDir: '/run/cni-ipam',
        routes: [{ dst: '0.0.0.0/0' }],
        ranges: [[{ subnet: '10.89.0.0/24' }]],
      },
    },
  },
  recordedMinimum: {},
};
