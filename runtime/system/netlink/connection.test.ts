import { describe, expect, it } from 'vitest';
import { Fault } from '../../../proto/fault.ts';
import { forgiving, NetlinkConnection } from './connection.ts';
import { fromHex, toHex } from './kernel-message.ts';
import { encodeMessage, type NetlinkMessage, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from './message.ts';

const OBJECT = 16;
const request = { words: 'add a thing to eth0', type: 20, flags: 0x400, payload: fromHex('01020304') };

/** A kernel that answers each request with the next of `answers`, one receive a datagram. */
function connect(...answers: readonly (readonly NetlinkMessage[])[][]) {
  const sent: string[] = [];
  const datagrams: (readonly NetlinkMessage[])[] = [];
  const connection = new NetlinkConnection({
    send(bytes) {
      sent.push(toHex(bytes));
      datagrams.push(...(answers[sent.length - 1] ?? []));
    },
    receive() {
      const datagram = datagrams.shift();
      if (datagram === undefined) throw new Error('the connection waits for what never comes');
      return fromHex(datagram.map((message) => toHex(encodeMessage(message))).join(''));
    },
    describeErrno: (errno) => (errno === 17 ? { code: 'EEXIST', message: 'File exists' } : { code: 'E', message: '?' }),
  });
  return { connection, sent };
}

const object = (sequence: number, byte: number, flags = 2): NetlinkMessage => ({
  type: OBJECT,
  flags,
  sequence,
  payload: Uint8Array.of(byte, 0, 0, 0),
});
const done = (sequence: number, flags = 2): NetlinkMessage => ({
  type: NLMSG_DONE,
  flags,
  sequence,
  payload: fromHex('00000000'),
});
const verdict = (sequence: number, hex: string): NetlinkMessage => ({
  type: NLMSG_ERROR,
  flags: 0x100,
  sequence,
  payload: fromHex(`${hex} 14000000 1400 0504 01000000 00000000`),
});
const bytesOf = (messages: readonly NetlinkMessage[]) => messages.map(({ payload }) => payload[0]);

describe('NetlinkConnection', () => {
  it('asks for an acknowledgement and waits for it', () => {
    const { connection, sent } = connect([[object(1, 9, 0)], [verdict(1, '00000000')]]);
    expect(bytesOf(connection.request(request))).toEqual([9]);
    expect(sent).toEqual(['14000000140005040100000000000000' + '01020304']);
  });

  it('says in words what was refused, and why', () => {
    const { connection } = connect([[verdict(1, 'efffffff')]]);
    const refused = () => connection.request(request);
    expect(refused).toThrow('could not add a thing to eth0: EEXIST: File exists');
  });

  it('gives the refusal its code and errno name', () => {
    const { connection } = connect([[verdict(1, 'efffffff')]]);
    try {
      connection.request(request);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(Fault);
      expect(error).toMatchObject({ code: 'exists', fields: { errno: 'EEXIST' } });
    }
  });

  it('collects a dump of several datagrams', () => {
    const { connection } = connect([[object(1, 1), object(1, 2)], [object(1, 3)], [done(1)]]);
    expect(bytesOf(connection.dump(request))).toEqual([1, 2, 3]);
  });

  it('asks again when the list changed meanwhile', () => {
    const { connection, sent } = connect(
      [[object(1, 1)], [object(1, 2, 2 | NLM_F_DUMP_INTR), done(1)]],
      [[object(2, 5), done(2)]],
    );
    expect(bytesOf(connection.dump(request))).toEqual([5]);
    expect(sent).toHaveLength(2);
  });

  it('gives up on a list that changes all the time', () => {
    const answers = Array.from({ length: 20 }, (_, index) => [[done(index + 1, NLM_F_DUMP_INTR)]]);
    expect(() => connect(...answers).connection.dump(request)).toThrow(/changed during each of 8 attempts/);
  });

  it('skips what an earlier exchange has left', () => {
    const { connection } = connect([[verdict(1, 'efffffff')], [object(1, 1), done(1)]], [[object(2, 2), done(2)]]);
    expect(() => connection.dump(request)).toThrow(/EEXIST/);
    expect(bytesOf(connection.dump(request))).toEqual([2]);
  });
});

describe('forgiving', () => {
  const refuse = (errno: string) => () => {
    throw new Fault('io', 'could not', { fields: { errno } });
  };

  it('tells the forgiven from the done, and throws the rest', () => {
    expect(forgiving(['ENOENT'], () => 1)).toBe(true);
    expect(forgiving(['ENOENT', 'ENODEV'], refuse('ENODEV'))).toBe(false);
    expect(() => forgiving(['ENOENT'], refuse('EBUSY'))).toThrow('could not');
    expect(() => forgiving(['ENOENT'], () => JSON.parse('{'))).toThrow(SyntaxError);
  });
});
