import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { count, defineRecord, filled } from '../../proto/record.ts';

const machine = () =>
  v.strictObject({
    processor: filled,
    cores: count,
    memoryMib: count,
    kernel: filled,
    isVirtual: v.boolean(),
    qemu: filled,
    node: filled,
  });

const experiment = () =>
  v.strictObject({
    name: filled,
    title: filled,
    method: filled,
    measures: v.array(v.strictObject({ key: filled, title: filled, unit: v.picklist(['ms', 's', 'MB']) })),
    rounds: count,
    /** Of the last minute. */
    loadBefore: v.number(),
    loadAfter: v.number(),
    /** Case -> measure -> one raw value for each round. The first case is the subject. */
    samples: v.record(filled, v.record(filled, v.array(v.number()))),
    absent: v.array(v.strictObject({ name: filled, reason: filled, recordedMinimum: v.record(filled, v.number()) })),
  });

/** What `npm run bench` writes and performance.md is made of. */
export const benchResults = defineRecord('benchmark results', 1, {
  suite: filled,
  machine: machine(),
  experiments: v.array(experiment()),
});
export type BenchResults = ReturnType<typeof benchResults.decode>;
export type ExperimentResults = BenchResults['experiments'][number];

export async function writeResults(path: string, results: BenchResults): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, benchResults.encode(results));
}
