import { expect, it } from 'vitest';
import { Barrier } from './barrier.ts';

it('lets nobody pass before all have arrived', async () => {
  const barrier = new Barrier(2);
  const passed: string[] = [];
  const first = barrier.arrive().then(() => passed.push('first'));
  await new Promise(setImmediate);
  expect(passed).toEqual([]);
  await barrier.arrive();
  await first;
  expect(passed).toEqual(['first']);
});

it('turns away who waits, and who comes later, when one never will', async () => {
  const barrier = new Barrier(3);
  const waits = barrier.arrive();
  barrier.break(new Error('no space'));
  await expect(waits).rejects.toThrow('no space');
  await expect(barrier.arrive()).rejects.toThrow('no space');
});

it('stays open once all have arrived', async () => {
  const barrier = new Barrier(1);
  const waits = barrier.arrive();
  barrier.break(new Error('too late'));
  await waits;
});
