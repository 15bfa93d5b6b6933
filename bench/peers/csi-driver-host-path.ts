import { findExecutable } from '../core/find-executable.ts';
import type { Peer } from '../core/suite.ts';

const VARIABLE = 'BERTH_PEER_CSI_HOST_PATH';

/** The reference driver of Kubernetes (kubernetes-csi/csi-driver-host-path): directories, and no reply is durable. */
export const peer: Peer = {
  name: 'csi-driver-host-path',
  role: 'csi-driver',
  locate: async () => findExecutable(process.env[VARIABLE] ?? ''),
  wayOut: `the variable ${VARIABLE}, which names its binary`,
  settings: undefined,
  // By this bench, on a machine with 2 cores of a virtual Intel Xeon, busy with other work.
  recordedMinimum: {
    ...{ 'nothing-1': 0.093, 'create-1': 0.671, 'delete-1': 0.593, 'list-1': 0.37 },
    ...{ 'publish-1': 7.89, 'stats-1': 3.04, 'unpublish-1': 10.3 },
    ...{ 'nothing-16': 0.07, 'create-16': 0.516, 'delete-16': 0.786, 'list-16': 0.909 },
    ...{ 'publish-16': 9.15, 'stats-16': 3.99, 'unpublish-16': 13.5 },
    ...{ 'nothing-1-full': 0.122, 'create-1-full': 4.49, 'delete-1-full': 4.24, 'list-1-full': 5.15 },
    ...{ 'publish-1-full': 13.2, 'stats-1-full': 2.95, 'unpublish-1-full': 19.4 },
    ...{ 'nothing-16-full': 0.077, 'create-16-full': 5.03, 'delete-16-full': 7.08, 'list-16-full': 1.7 },
    ...{ 'publish-16-full': 14.8, 'stats-16-full': 3.95, 'unpublish-16-full': 24.7 },
  },
};
