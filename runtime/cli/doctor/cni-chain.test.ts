import { expect, it } from 'vitest';
import { judgeChain } from './cni-chain.ts';

const PATH = '/etc/cni/net.d/10-net.conflist';
const listOf = (...plugins: object[]) => JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins });
const chain = (...types: string[]) => listOf(...types.map((type) => ({ type })));
const nothing = async () => undefined;

it.each([
  ['another network', chain('bridge', 'portmap'), []],
  ['berth last', chain('ptp', 'berth'), ['ok']],
  ['berth in between', chain('ptp', 'berth', 'portmap'), ['missing']],
  ['berth alone', chain('berth'), ['missing']],
])('%s', async (_, text, expected) => {
  expect((await judgeChain(text, PATH, nothing)).map(({ status }) => status)).toEqual(expected);
});

it.each([
  ['no JSON', '{'],
  ['no list', '{"name": "net"}'],
])('refuses %s', async (_, text) => {
  await expect(judgeChain(text, PATH, nothing)).rejects.toThrow();
});

it('asks the plugin about its own entry, in a version that has STATUS', async () => {
  const asked: unknown[] = [];
  const findings = await judgeChain(
    listOf({ type: 'ptp' }, { type: 'berth', Queues: 2 }),
    PATH,
    async (...question) => {
      asked.push(question);
      return 'Queues is spelt queues';
    },
  );
  expect(asked).toEqual([[['1.0.0'], { cniVersion: '1.1.0', name: 'net', type: 'berth', Queues: 2 }]]);
  const what = `network net (${PATH}) chains the plugin last, but ADD refuses every pod: Queues is spelt queues`;
  expect(findings).toMatchObject([{ status: 'missing', what, mend: expect.stringContaining(PATH) }]);
});

it.each([
  [undefined, 'ok'],
  [null, 'ok'],
  [{ annotation: 'vm' }, 'missing'],
])('when as %j needs the annotations', async (when, status) => {
  const entry = { type: 'berth', when };
  expect(await judgeChain(listOf({ type: 'ptp' }, entry), PATH, nothing)).toMatchObject([{ status }]);
  const capabilities = { 'io.kubernetes.cri.pod-annotations': true };
  const handed = listOf({ type: 'ptp' }, { ...entry, capabilities });
  expect(await judgeChain(handed, PATH, nothing)).toMatchObject([{ status: 'ok' }]);
});
