import { describe, expect, it } from 'vitest';
import { runRounds } from './rounds.ts';

describe('rounds', () => {
  it('measure every case once in each round, in changing order, and forget the warm-up', async () => {
    const order: string[] = [];
    const cases = ['a', 'b', 'c'].map((name, index) => {
      let calls = 0;
      return {
        name,
        async measure() {
          order.push(name);
          calls += 1;
          return { time: calls * 10 + index };
        },
      };
    });
    const samples = await runRounds(cases, { warmUp: 1, rounds: 2 });
    expect(samples).toEqual({ a: { time: [20, 30] }, b: { time: [21, 31] }, c: { time: [22, 32] } });
    await runRounds(cases, { warmUp: 0, rounds: 30 });
    const rounds = order.join('').match(/.../g) ?? [];
    expect(new Set(rounds.map((round) => [...round].sort().join('')))).toEqual(new Set(['abc']));
    expect(new Set(rounds).size).toBe(6);
  });

  it('end with the failure of a case, and refuse what is no figure', async () => {
    const broken = { name: 'broken', measure: () => Promise.reject(new Error('exit status 1')) };
    await expect(runRounds([broken], { warmUp: 0, rounds: 1 })).rejects.toThrow('exit status 1');
    const empty = { name: 'empty', measure: async () => ({ time: Number.NaN }) };
    await expect(runRounds([empty], { warmUp: 0, rounds: 1 })).rejects.toThrow('empty: time of round 0 is NaN');
  });
});
