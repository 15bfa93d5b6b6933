import { findExecutable } from '../core/find-executable.ts';
import type { Peer } from '../core/suite.ts';

const VARIABLE = 'BERTH_PEER_CSI_HOST_PATH';

/** The reference driver of Kubernetes (kubernetes-csi/csi-driver-host-path): directories, and no reply is durable. */
export const peer: Peer = {
  name: 'csi-driver-host-path',
  role: 'csi-driver',
  locate: async () => findExecutable(process.env[VARIABLE] ?? ''),
  wayOut: `the variable ${VARIABLE}, which names its binary; recorded are medians, of a client in Go`,
  settings: undefined,
  // On a machine with 2 cores of a virtual Intel Xeon; at 16 the inverse of the best throughput; list with 2,000 volumes.
  recordedMinimum: {
    ...{ 'create-1': 0.68, 'delete-1': 0.58, 'publish-1': 8.7, 'stats-1': 8.2, 'unpublish-1': 12.7 },
    ...{ 'create-16': 0.546, 'delete-16': 0.726, 'publish-16': 8.06, 'stats-16': 8.7, 'unpublish-16': 13.5 },
    ...{ 'create-16-full': 1.28, 'list-1-full': 28 },
  },
};
