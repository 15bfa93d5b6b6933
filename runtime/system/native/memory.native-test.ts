import { expect, nativeTest } from './testing.ts';

/** Around the sizes at which the engine's allocator changes its ways, and beyond them. */
const SIZES = [1, 7, 8, 9, 24, 500, 504, 505, 1000, 1016, 1017, 4000, 32_760, 32_761, 200_000];
const ROUNDS = 4000;
const KEPT = 200;

/** The same each time. */
function* numbers(): Generator<number, never> {
  for (let state = 12345; ; ) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    yield state >>> 8;
  }
}

nativeTest('memory: blocks of all sizes keep what is in them while others come and go', () => {
  const random = numbers();
  const next = (limit: number): number => random.next().value % limit;
  const blocks: (Uint8Array | undefined)[] = [];
  const isWhole = (block: Uint8Array | undefined): boolean =>
    block === undefined || block.every((byte) => byte === (block.length & 0xff));
  for (let round = 0; round < ROUNDS; round += 1) {
    const place = next(KEPT);
    expect(isWhole(blocks[place]), `block ${place} in round ${round}`);
    const size = (SIZES[next(SIZES.length)] ?? 0) + next(3);
    blocks[place] = next(4) === 0 ? undefined : new Uint8Array(size).fill(size);
  }
  expect(blocks.every(isWhole), 'all of them in the end');
});

nativeTest('memory: what grows and shrinks keeps its content', () => {
  const list: number[] = [];
  for (let value = 0; value < 50_000; value += 1) list.push(value);
  list.length = 1000;
  for (let value = 1000; value < 5000; value += 1) list.push(value);
  expect(
    list.every((value, index) => value === index),
    'every entry',
  );
  let text = '';
  for (let value = 0; value < 20_000; value += 1) text += String.fromCharCode(97 + (value % 26));
  expect(text.length === 20_000 && text.startsWith('abc') && text.at(-1) === 'f', 'every letter');
});
