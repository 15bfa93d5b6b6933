import { findExecutable } from '../core/find-executable.ts';
import type { Peer } from '../core/suite.ts';

const VARIABLE = 'BERTH_PEER_TC_REDIRECT_TAP';

/** Wires a TAP to a pod's interface for Firecracker (awslabs/tc-redirect-tap): the same filters, and no record. */
export const peer: Peer = {
  name: 'tc-redirect-tap',
  role: 'cni-plugin',
  locate: async () => findExecutable(process.env[VARIABLE] ?? ''),
  wayOut: `the variable ${VARIABLE}, which names its binary`,
  settings: { isChained: true, config: { type: 'tc-redirect-tap' } },
  // On a machine with 2 cores of a virtual Intel Xeon, where /bin/true took 0.5 to 1.0 ms.
  recordedMinimum: { version: 2.15, add: 3.19, del: 8.45, peak: 5.7 },
};
