import { expect, it } from 'vitest';
import { judgeChain } from './cni-chain.ts';

const chain = (...types: string[]) => JSON.stringify({ name: 'net', plugins: types.map((type) => ({ type })) });

it.each([
  ['another network', chain('bridge', 'portmap'), []],
  ['berth last', chain('ptp', 'berth'), ['ok']],
  ['berth in between', chain('ptp', 'berth', 'portmap'), ['missing']],
  ['berth alone', chain('berth'), ['missing']],
  ['no JSON', '{', ['note']],
  ['no list', '{"name": "net"}', ['note']],
])('%s', (_, text, expected) => {
  expect(judgeChain(text, '10-net.conflist').map(({ status }) => status)).toEqual(expected);
});
