import type { Suite } from '../core/suite.ts';
import { csiVerbs } from '../csi/csi-verbs.ts';

export const suite: Suite = {
  name: 'csi',
  summary: 'verbs of the CSI driver: latency and throughput, empty and with 5,000 volumes',
  experiments: [
    csiVerbs({ concurrency: 1, volumes: 0 }),
    csiVerbs({ concurrency: 16, volumes: 0 }),
    csiVerbs({ concurrency: 1, volumes: 5000 }),
    csiVerbs({ concurrency: 16, volumes: 5000 }),
  ],
};
