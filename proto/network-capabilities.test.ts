import { expect, it } from 'vitest';
import { type NetworkCapabilities, noteFeature } from './network-capabilities.ts';

const lack = (feature: 'tun' | 'tbf', foundAtMs: number) => ({ feature, foundAtMs });
const record = (...lacks: NetworkCapabilities['lacks']): NetworkCapabilities => ({ bootId: 'boot', lacks });

it.each([
  ['nothing, which it has', undefined, true, undefined],
  ['nothing, which it lacks', undefined, false, record(lack('tun', 9))],
  ['its lack, mended', record(lack('tun', 1)), true, undefined],
  ['its lack, again', record(lack('tun', 1)), false, record(lack('tun', 9))],
  ["another's, and it is there", record(lack('tbf', 1)), true, record(lack('tbf', 1))],
  ["another's, and it is not", record(lack('tbf', 1)), false, record(lack('tbf', 1), lack('tun', 9))],
  ['what another boot lacked, and it is there', { ...record(lack('tun', 1)), bootId: 'before' }, true, undefined],
  ['what another boot lacked', { ...record(lack('tbf', 1)), bootId: 'before' }, false, record(lack('tun', 9))],
])('after %s', (_, previous, isPresent, expected) => {
  expect(noteFeature(previous, 'boot', 'tun', { isPresent, nowMs: 9 })).toEqual(expected);
});
