import { expect, it } from 'vitest';
import { loadProto } from './load-proto.ts';
import { serializeOnce } from './serialize-once.ts';

const method = loadProto(['Controller']).get('Controller')?.['ListVolumes'];
if (method === undefined) throw new Error('csi.proto has no ListVolumes');
const { responseSerialize, responseDeserialize } = method;

const entry = (id: string, message = '') => ({
  volume: { volume_id: id, capacity_bytes: '1', accessible_topology: [{ segments: { node: 'n' } }] },
  status: { published_node_ids: ['n'], volume_condition: { abnormal: message !== '', message } },
});

it('is on the wire what it is all at once', () => {
  const serialize = serializeOnce(responseSerialize, 'entries');
  const [one, two] = [entry('one'), entry('two', 'a problem')];
  for (const message of [
    { entries: [one, two], next_token: 'two' },
    { entries: [two], next_token: '' },
    { entries: [], next_token: '' },
    { entries: [two, one], next_token: 'one' },
  ]) {
    expect(serialize(message).equals(responseSerialize(message))).toBe(true);
    expect(responseDeserialize(serialize(message))).toEqual(responseDeserialize(responseSerialize(message)));
  }
});

it('serializes an element again when it is another object', () => {
  const serialized: object[] = [];
  const serialize = serializeOnce((message) => {
    serialized.push(message);
    return responseSerialize(message);
  }, 'entries');
  const one = entry('one');
  serialize({ entries: [one], next_token: '' });
  serialize({ entries: [one], next_token: '' });
  expect(serialized).toHaveLength(3);
  expect(responseDeserialize(serialize({ entries: [entry('one', 'new')], next_token: '' }))).toMatchObject({
    entries: [{ status: { volume_condition: { message: 'new' } } }],
  });
});
