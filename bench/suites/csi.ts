import type { Suite } from '../core/suite.ts';
import { csiScale } from '../csi/csi-scale.ts';
import { csiVerbs } from '../csi/csi-verbs.ts';

export const suite: Suite = {
  name: 'csi',
  summary: 'verbs of the CSI driver: latency and throughput, with no, 5,000 and 10,000 volumes; its start',
  experiments: [
    csiVerbs({ concurrency: 1, volumes: 0 }),
    csiVerbs({ concurrency: 16, volumes: 0 }),
    csiVerbs({ concurrency: 1, volumes: 5000 }),
    csiVerbs({ concurrency: 16, volumes: 5000 }),
    csiScale,
  ],
};
