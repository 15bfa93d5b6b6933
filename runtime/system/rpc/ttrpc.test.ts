import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../../proto/fault.ts';
import { bool, bytes, message, string, uint } from '../../../proto/protobuf.ts';
import {
  encodeFrame,
  FRAME_REQUEST,
  FRAME_RESPONSE,
  FrameDecoder,
  MAX_MESSAGE_BYTES,
  method,
  ttrpcRequest,
  ttrpcResponse,
} from '../../../proto/ttrpc.ts';
import { silentLog } from '../log.ts';
import type { ByteStream } from '../port.ts';
import { memoryStreams } from './memory-stream.ts';
import { createClient } from './ttrpc-client.ts';
import { defineService, type Handlers, serve } from './ttrpc-server.ts';

const SERVICE = 'test.v1.Echo';
const methods = {
  echo: method('Echo', message({ text: string(1), times: uint(2) }), message({ text: string(1) })),
  blob: method('Blob', message({ sizeBytes: uint(1), payload: bytes(2) }), message({ payload: bytes(1) })),
  block: method('Block', message({}), message({ released: bool(1) })),
  fail: method('Fail', message({}), message({})),
};

function setUp(overrides: Partial<Handlers<typeof methods>> = {}) {
  const [near, far] = memoryStreams();
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const handlers: Handlers<typeof methods> = {
    echo: async ({ text, times }) => ({ text: text.repeat(times) }),
    blob: async ({ sizeBytes, payload }) => ({ payload: sizeBytes > 0 ? new Uint8Array(sizeBytes) : payload }),
    block: async () => {
      await released;
      return { released: true };
    },
    fail: async () => {
      throw new Fault('exists', 'volume v is there', {
        fields: { volumeId: 'v', sizeBytes: 3 },
        cause: new Error('why'),
      });
    },
    ...overrides,
  };
  const server = serve(far, defineService(SERVICE, methods, handlers), silentLog);
  return { near, far, server, release: () => release(), client: createClient(near, SERVICE, methods) };
}

/** Writes a request frame by hand and answers the first response frame. */
async function exchange(stream: ByteStream, frame: Uint8Array) {
  await stream.write(frame);
  const decoder = new FrameDecoder();
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) {
    const [found] = decoder.push(chunk);
    if (found !== undefined) return { ...found, response: ttrpcResponse.decode(found.payload) };
  }
  return undefined;
}

const rawRequest = (streamId: number, service: string, name: string) =>
  encodeFrame({ streamId, type: FRAME_REQUEST, payload: ttrpcRequest.encode({ service, method: name }) });

describe('ttrpc client and server', () => {
  it('answers calls concurrently: a blocked one holds up nobody', async () => {
    const { client, release } = setUp();
    const blocked = client.call('block', {});
    expect(await client.call('echo', { text: 'ab', times: 2 })).toEqual({ text: 'abab' });
    release();
    expect(await blocked).toEqual({ released: true });
  });

  it('gives a Fault back with its code, fields and chain of causes', async () => {
    const { client } = setUp();
    await expect(client.call('fail', {})).rejects.toMatchObject({
      code: 'exists',
      message: 'volume v is there: why',
      fields: { volumeId: 'v', sizeBytes: 3 },
    });
  });

  it.each(['malformed', 'exec', 'io', 'internal'] as const)(
    'keeps the code %s, which shares its status',
    async (code) => {
      const { client } = setUp({
        fail: async () => {
          throw new Fault(code, 'x');
        },
      });
      await expect(client.call('fail', {})).rejects.toMatchObject({ code });
    },
  );

  it('answers what is no Fault as internal', async () => {
    const { client } = setUp({
      fail: async () => {
        throw new TypeError('oops');
      },
    });
    await expect(client.call('fail', {})).rejects.toMatchObject({ code: 'internal', message: 'oops' });
  });

  it('times out one call and serves the next; the late answer is dropped', async () => {
    const { client, release } = setUp();
    await expect(client.call('block', {}, { timeoutMs: 5 })).rejects.toMatchObject({ code: 'timeout' });
    release();
    expect(await client.call('echo', { text: 'a', times: 1 })).toEqual({ text: 'a' });
  });

  it('rejects every pending call when the peer goes, and later ones at once', async () => {
    const { client, server } = setUp();
    const pending = [client.call('block', {}), client.call('block', {}, { timeoutMs: 60_000 })];
    server.close();
    for (const call of pending) await expect(call).rejects.toMatchObject({ code: 'io' });
    await expect(client.call('echo', {})).rejects.toMatchObject({ code: 'io' });
    expect((await client.closed).code).toBe('io');
    await server.ended;
  });

  it('refuses a reply that no frame holds, and keeps the connection', async () => {
    const { client } = setUp();
    await expect(client.call('blob', { sizeBytes: MAX_MESSAGE_BYTES })).rejects.toMatchObject({ code: 'exhausted' });
    expect(await client.call('echo', { text: 'a', times: 1 })).toEqual({ text: 'a' });
  });

  it('refuses to send a request that no frame holds', async () => {
    const { client } = setUp();
    const payload = new Uint8Array(MAX_MESSAGE_BYTES);
    await expect(client.call('blob', { payload })).rejects.toMatchObject({ code: 'exhausted' });
  });

  it.each([
    ['another service', rawRequest(1, 'other.v1.Service', 'Echo'), 12],
    ['an unknown method', rawRequest(1, SERVICE, 'Nothing'), 12],
    ['a method by its key', rawRequest(1, SERVICE, 'echo'), 12],
    ['an inherited name', rawRequest(1, SERVICE, 'toString'), 12],
    [
      'a request that does not decode',
      encodeFrame({ streamId: 1, type: FRAME_REQUEST, payload: Uint8Array.of(10, 9) }),
      3,
    ],
  ])('answers %s with a status', async (_what, frame, code) => {
    const [near, far] = memoryStreams();
    const echo = method('Echo', message({ text: string(1) }), message({}));
    serve(far, defineService(SERVICE, { echo }, { echo: async () => ({}) }), silentLog);
    expect((await exchange(near, frame))?.response.status?.code).toBe(code);
  });

  it.each([
    ['a frame above the limit', Uint8Array.of(0xff, 0, 0, 0, 0, 0, 0, 1, 1, 0)],
    ['a response', encodeFrame({ streamId: 1, type: FRAME_RESPONSE, payload: new Uint8Array(0) })],
  ])('ends the connection of a client that sends %s', async (_what, frame) => {
    const [near, far] = memoryStreams();
    const server = serve(far, defineService('x', {}, {}), silentLog);
    expect(await exchange(near, frame)).toBeUndefined();
    await server.ended;
  });

  it('is drained when the last answer is written, not before', async () => {
    const { client, server, release } = setUp();
    const order: string[] = [];
    const blocked = client.call('block', {}).then(() => order.push('answered'));
    await client.call('echo', {});
    const drained = server.drained().then(() => order.push('drained'));
    release();
    await Promise.all([blocked, drained]);
    expect(order).toHaveLength(2);
    await server.drained();
  });
});

describe('ttrpc frames', () => {
  const frames = fc.array(
    fc.record({ streamId: fc.nat(0xffff_ffff), type: fc.nat(255), payload: fc.uint8Array({ maxLength: 300 }) }),
    { maxLength: 8 },
  );

  it('survive any cutting of the stream', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sent, cuts) => {
        const all = Uint8Array.from(sent.flatMap((frame) => [...encodeFrame(frame)]));
        const decoder = new FrameDecoder();
        const got = [];
        for (let offset = 0, turn = 0; offset < all.length; turn += 1) {
          const size = cuts[turn % cuts.length] ?? 1;
          got.push(...decoder.push(all.subarray(offset, offset + size)));
          offset += size;
        }
        expect(got).toEqual(sent);
      }),
    );
  });

  it('have the header of the specification: length, stream id, type, flags, big-endian', () => {
    const frame = encodeFrame({ streamId: 0x01020304, type: 2, payload: Uint8Array.of(7, 8) });
    expect([...frame]).toEqual([0, 0, 0, 2, 1, 2, 3, 4, 2, 0, 7, 8]);
  });
});
