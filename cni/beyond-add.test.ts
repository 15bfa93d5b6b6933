import { expect, it } from 'vitest';
import { isBeyondAdd } from './beyond-add.ts';

const long = (length: number): string => 'n'.repeat(length);

it.each([
  ['DEL', 'c1', 'net', false],
  ['DEL', long(128), long(80), false],
  ['DEL', 'c1', long(81), true],
  ['DEL', long(129), 'net', true],
  ['DEL', undefined, undefined, false],
  ['DEL', `${long(200)}/`, 'net', false],
  ['DEL', 'c1', `${long(100)}:`, false],
  ['GC', undefined, long(81), true],
  ['GC', long(129), 'net', false],
  ['ADD', long(129), long(81), false],
  ['CHECK', long(129), long(81), false],
  ['STATUS', undefined, long(81), false],
] as const)('%s for %s in %s is beyond ADD: %s', (verb, containerId, network, expected) => {
  expect(isBeyondAdd(verb, containerId, network)).toBe(expected);
});
