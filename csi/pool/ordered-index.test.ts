import { expect, test } from 'vitest';
import { OrderedIndex } from './ordered-index.ts';

const create = (...values: string[]) => new OrderedIndex<string, string>(values, (value) => value.slice(0, 1));

test('keeps the order of ids, whatever comes and goes', () => {
  const index = create('m1', 'c1', 'x1');
  for (const value of ['d1', 'a1', 'z1', 'd2']) index.put(value);
  index.delete('m');
  index.delete('m');
  expect(index.all()).toEqual(['a1', 'c1', 'd2', 'x1', 'z1']);
  expect(index.get('d')).toBe('d2');
  expect([index.has('z'), index.has('m')]).toEqual([true, false]);
});

test('orders by code units, as page tokens are compared', () => {
  const index = create('b', 'Z', '_', 'a');
  index.put('A');
  expect(index.all()).toEqual(['A', 'Z', '_', 'a', 'b']);
});

test('a listing that is held does not change', () => {
  const index = create('a', 'b');
  const held = index.all();
  index.put('c');
  index.put('b');
  index.delete('a');
  expect(held).toEqual(['a', 'b']);
});
