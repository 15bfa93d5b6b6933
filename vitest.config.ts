import { defineConfig } from 'vitest/config';

/** Layers run one after another (groupOrder): a virtual machine never competes with unit tests for two cores. */
const layer = (name: string, order: number, include: string[], testTimeout: number) => ({
  test: {
    name,
    include,
    testTimeout,
    hookTimeout: testTimeout,
    sequence: { groupOrder: order },
    ...(name === 'unit' ? {} : { fileParallelism: false, maxWorkers: 1 }),
  },
});

export default defineConfig({
  test: {
    reporters: ['default', './test/support/reporter.ts'],
    projects: [
      layer('unit', 0, ['{proto,csi,cni,runtime,deploy,bench,test/support}/**/*.test.ts'], 10_000),
      layer('gates', 1, ['test/gates/**/*.test.ts'], 300_000),
      layer('host', 2, ['test/host/**/*.test.ts'], 60_000),
      layer('conformance', 3, ['test/conformance/**/*.test.ts'], 60_000),
      layer('crash', 4, ['test/crash/**/*.test.ts'], 60_000),
      layer('fuzz', 5, ['test/fuzz/**/*.test.ts'], 60_000),
      layer('vm', 6, ['test/vm/**/*.test.ts'], 300_000),
    ],
  },
});
