import { join } from 'node:path';
import { writeBundle } from '../../deploy/demo/bundle.ts';
import { createWorld, type World } from '../../test/support/world.ts';
import { startBerthPod } from './berth-pod.ts';
import type { ComparedPod } from './compared-pod.ts';
import { startHandWrittenPod } from './hand-written-pod.ts';

/** Says that it runs, and ends when it is told to. */
const SCRIPT = "trap 'exit 0' TERM; echo runs; while :; do sleep 1; done";

export interface PodCase {
  readonly name: string;
  start(): Promise<ComparedPod>;
}

export interface PodCases {
  readonly pods: readonly PodCase[];
  readonly world: World;
  close(): Promise<void>;
}

/** Both start a container of the same bundle. */
export async function openPods(): Promise<PodCases> {
  const world = await createWorld();
  const bundle = await writeBundle(join(world.scratch, 'bundle'), SCRIPT);
  let count = 0;
  const podCase = (name: string, start: typeof startBerthPod): PodCase => ({
    name,
    start() {
      count += 1;
      return start(world, bundle, `pod-${count}`);
    },
  });
  const pods = [podCase('berth run', startBerthPod), podCase('QEMU by hand', startHandWrittenPod)];
  return { pods, world, close: () => world.close() };
}
