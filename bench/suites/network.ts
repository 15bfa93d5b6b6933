import type { Suite } from '../core/suite.ts';
import { queues } from '../network/queues.ts';
import { wirings } from '../network/wirings.ts';

export const suite: Suite = {
  name: 'network',
  summary: 'a VM behind its pod’s interface: streams and pings by each wiring, and by queues',
  experiments: [wirings, queues],
};
