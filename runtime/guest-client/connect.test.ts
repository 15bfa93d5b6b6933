import { describe, expect, it } from 'vitest';
import { helloLine } from '../../proto/hello.ts';
import type { System } from '../system/port.ts';
import { memoryStreams } from '../system/rpc/memory-stream.ts';
import { connectChannel } from './connect.ts';

const PORT = { name: 'berth.control', socket: '/control.sock' };
const NONCE = '07'.repeat(16);

function setUp(timeoutMs = 5_000) {
  const [near, far] = memoryStreams();
  const system = {
    connect: async () => near,
    randomBytes: (size: number) => new Uint8Array(size).fill(7),
    now: () => 0,
  };
  const connected = connectChannel(system as unknown as System, PORT, { timeoutMs, atMs: timeoutMs });
  return { far, connected };
}

describe('hand-shake with the guest', () => {
  it('discards what was meant for the host before, and loses nothing of the conversation', async () => {
    const { far, connected } = setUp();
    expect(new TextDecoder().decode(await far.read())).toBe(new TextDecoder().decode(helloLine(NONCE)));
    await far.write(Uint8Array.of(1, 2, 3));
    await far.write(Uint8Array.from([...helloLine('ff'.repeat(16)), 9, ...helloLine(NONCE), 42]));
    await far.write(Uint8Array.of(43));
    const stream = await connected;
    expect([await stream.read(), await stream.read()]).toEqual([Uint8Array.of(42), Uint8Array.of(43)]);
  });

  it('gives up at the deadline', async () => {
    const { far, connected } = setUp(5);
    await expect(connected).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringMatching(/^the guest did not say hello on berth.control within 5 ms; .*--boot-timeout/),
    });
    await far.read(); // our line
    expect(await far.read()).toBeUndefined();
  });

  it('gives up when the VMM closes the channel', async () => {
    const { far, connected } = setUp();
    far.close();
    await expect(connected).rejects.toMatchObject({ code: 'io' });
  });
});
