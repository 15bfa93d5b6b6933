import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longest-first.ts';

/** Files at a time. One that boots keeps a processor busy with its guest, which is emulated, and seldom a second one. */
const PAIR = Math.min(2, availableParallelism());

/** They measure what a guest gets done in a time: beside another one they would measure that. */
const MEASURING = ['test/vm/network-bandwidth.test.ts', 'test/vm/volume-limits.test.ts'];

interface Layer {
  readonly name: string;
  readonly include: string[];
  readonly exclude?: string[];
  readonly testTimeout: number;
  /** As many as there are processors unless said. */
  readonly maxWorkers?: number;
}

/** They run one after another (groupOrder): a virtual machine never competes with unit tests for two cores. */
const LAYERS: readonly Layer[] = [
  { name: 'unit', include: ['{proto,csi,cni,runtime,deploy,bench,test/support}/**/*.test.ts'], testTimeout: 10_000 },
  { name: 'gates', include: ['test/gates/**/*.test.ts'], testTimeout: 300_000, maxWorkers: 1 },
  { name: 'host', include: ['test/host/**/*.test.ts'], testTimeout: 60_000, maxWorkers: PAIR },
  { name: 'conformance', include: ['test/conformance/**/*.test.ts'], testTimeout: 60_000, maxWorkers: PAIR },
  { name: 'crash', include: ['test/crash/**/*.test.ts'], testTimeout: 60_000, maxWorkers: PAIR },
  { name: 'fuzz', include: ['test/fuzz/**/*.test.ts'], testTimeout: 60_000, maxWorkers: PAIR },
  { name: 'vm', include: ['test/vm/**/*.test.ts'], exclude: MEASURING, testTimeout: 300_000, maxWorkers: PAIR },
  { name: 'measure', include: MEASURING, testTimeout: 300_000, maxWorkers: 1 },
];

export default defineConfig({
  test: {
    reporters: ['default', './test/support/reporter.ts'],
    sequence: { sequencer: LongestFirst },
    projects: LAYERS.map((layer, groupOrder) => ({
      test: { ...layer, hookTimeout: layer.testTimeout, sequence: { groupOrder } },
    })),
  },
});
