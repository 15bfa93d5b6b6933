import type { Suite } from '../core/suite.ts';
import { cniMemory } from '../startup/cni-memory.ts';
import { cniProcess } from '../startup/cni-process.ts';
import { podMemory } from '../startup/pod-memory.ts';
import { podStart } from '../startup/pod-start.ts';

export const suite: Suite = {
  name: 'startup',
  summary: 'what a pod waits for, and what it costs at rest: CNI plugin, VM, shim',
  experiments: [cniProcess, cniMemory, podStart, podMemory],
};
