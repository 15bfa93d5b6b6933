import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AGENT_SERVICE, agentMethods } from '../../proto/agent.ts';
import { Fault } from '../../proto/fault.ts';
import { HelloScanner, helloLine } from '../../proto/hello.ts';
import { encodeStdioFrame, STDIN, STDOUT, type StdioFrame, StdioFrameDecoder } from '../../proto/stdio-frame.ts';
import {
  encodeFrame,
  FRAME_REQUEST,
  FRAME_RESPONSE,
  type Frame,
  FrameDecoder,
  ttrpcRequest,
  ttrpcResponse,
} from '../../proto/ttrpc.ts';
import { StdioMux } from '../../runtime/system/channel/stdio-mux.ts';
import { silentLog } from '../../runtime/system/log.ts';
import { memoryStreams } from '../../runtime/system/rpc/memory-stream.ts';
import { createClient } from '../../runtime/system/rpc/ttrpc-client.ts';
import { defineService, type Handlers, serve } from '../../runtime/system/rpc/ttrpc-server.ts';
import { anyText, brokenBytes, inPieces, orFault, runs } from '../support/fuzz.ts';

const NONCES = ['0123456789abcdef0123456789abcdef', 'ffffffffffffffffffffffffffffffff'] as const;
const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const join = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

describe('hello', () => {
  const input = inPieces(brokenBytes(...NONCES.map(helloLine), new TextEncoder().encode('BERTH-HELLO/1 BERTH')));

  it.each([undefined, NONCES[0]])('the first line with nonce %s is found, and what follows is all there', (wanted) => {
    fc.assert(
      fc.property(input, (pieces) => {
        const all = latin1(join(pieces));
        const line = [...all.matchAll(/BERTH-HELLO\/1 ([0-9a-f]{32})\n/g)].find(
          ([, nonce]) => !wanted || nonce === wanted,
        );
        const scanner = new HelloScanner(wanted);
        for (const [index, piece] of pieces.entries()) {
          const found = scanner.push(piece);
          if (found === undefined) continue;
          const rest = latin1(join([found.rest, ...pieces.slice(index + 1)]));
          expect({ nonce: found.nonce, rest }).toEqual({
            nonce: line?.[1],
            rest: line && all.slice(line.index + line[0].length),
          });
          return;
        }
        expect(line).toBeUndefined();
      }),
      runs(1500),
    );
  });
});

/** What a decoder makes of the pieces: frames, and whether it refused in the end. */
function decodeAll<F>(decoder: { push(chunk: Uint8Array): F[] }, pieces: readonly Uint8Array[]) {
  const frames: F[] = [];
  for (const piece of pieces) {
    const more = orFault(['malformed'], () => decoder.push(piece));
    if (more === undefined) return { frames, isRefused: true };
    frames.push(...more);
  }
  return { frames, isRefused: false };
}

describe.each([
  {
    name: 'ttrpc frames',
    create: () => new FrameDecoder(),
    encode: (frame: unknown) => encodeFrame(frame as Frame),
    samples: [
      encodeFrame({ streamId: 1, type: FRAME_REQUEST, payload: new Uint8Array(3) }),
      encodeFrame({ streamId: 3, type: FRAME_RESPONSE, payload: new Uint8Array(0) }),
    ],
  },
  {
    name: 'stdio frames',
    create: () => new StdioFrameDecoder(),
    encode: (frame: unknown) => encodeStdioFrame(frame as StdioFrame),
    samples: [
      encodeStdioFrame({ kind: 'data', stdioId: 1, stream: STDOUT, offset: 2 ** 40, data: new Uint8Array(5) }),
      encodeStdioFrame({ kind: 'end', stdioId: 1, stream: STDIN, offset: 0, data: new Uint8Array(0) }),
    ],
  },
])('$name', ({ create, encode, samples }) => {
  it('are the same however they are cut, and are what was sent', () => {
    fc.assert(
      fc.property(inPieces(brokenBytes(...samples)), (pieces) => {
        const whole = join(pieces);
        const cut = decodeAll<unknown>(create(), pieces);
        const refusal = decodeAll<unknown>(create(), [whole]);
        expect(cut.isRefused).toBe(refusal.isRefused);
        if (cut.isRefused) return;
        expect(cut.frames).toEqual(refusal.frames);
        const sent = join(cut.frames.map(encode));
        expect(sent.length).toBeLessThanOrEqual(whole.length);
        expect(decodeAll<unknown>(create(), [sent])).toEqual(cut);
      }),
      runs(1500),
    );
  });
});

/** The byte at each offset of a stream: whoever reads a stream knows what it must read. */
const byteAt = (offset: number): number => offset % 251;
const bytesFrom = (offset: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => byteAt(offset + i));

describe('the stdio channel', () => {
  const frame = fc
    .record({
      kind: fc.constantFrom('data', 'data', 'data', 'end', 'ack'),
      stdioId: fc.constantFrom(1, 1, 1, 2, 2 ** 32 - 1),
      stream: fc.constantFrom(0, 1, 2),
      offset: fc.oneof(fc.nat({ max: 40 }), fc.constantFrom(0, 0, 2 ** 32, 2 ** 53, 2 ** 63)),
      length: fc.nat({ max: 30 }),
    })
    .map(({ length, ...each }) =>
      encodeStdioFrame({ ...each, data: bytesFrom(each.offset, each.kind === 'data' ? length : 0) }),
    );
  const input = inPieces(fc.array(frame, { maxLength: 12 }).map(join));

  it('brings what was sent, in order, or ends: no frames of the peer do anything else', async () => {
    await fc.assert(
      fc.asyncProperty(input, brokenBytes(), async (pieces, rubbish) => {
        const mux = new StdioMux();
        const [ours, theirs] = memoryStreams();
        const receiver = mux.receiver(1, STDOUT);
        const sender = mux.sender(1, STDIN);
        const reading = (async () => {
          const read: number[] = [];
          for (let chunk = await receiver.read(); chunk !== undefined; chunk = await receiver.read())
            read.push(...chunk);
          return read;
        })().catch((error: unknown) => {
          expect(error).toBeInstanceOf(Fault);
          return undefined;
        });
        await sender.send(bytesFrom(0, 10));
        const attached = mux.attach(ours).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'malformed' });
        });
        for (const piece of [...pieces, rubbish]) await theirs.write(piece).catch(() => {});
        theirs.close();
        await attached;
        mux.close(new Fault('io', 'the peer is gone'));
        const read = await reading;
        if (read !== undefined) expect(read).toEqual([...bytesFrom(0, read.length)]);
      }),
      runs(500),
    );
  });
});

describe('ttrpc', () => {
  const request = (name: string, payload: Uint8Array) =>
    encodeFrame({
      streamId: 1,
      type: FRAME_REQUEST,
      payload: ttrpcRequest.encode({ service: AGENT_SERVICE, method: name, payload }),
    });
  const requests = [
    request('GetGuestDetails', new Uint8Array(0)),
    request('MountVolume', agentMethods.mountVolume.request.encode({ serial: 's', options: ['ro'], readOnly: true })),
    request(
      'SetUpSandbox',
      agentMethods.setUpSandbox.request.encode({
        hostname: 'pod',
        dns: { nameservers: ['10.0.0.1'], search: [], options: [] },
        interfaces: [{ name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1500, addresses: [], routes: [], neighbours: [] }],
      }),
    ),
  ];

  it('a server answers whatever is a frame, with a reply or a status', async () => {
    const handlers = Object.fromEntries(Object.keys(agentMethods).map((name) => [name, async () => ({})]));
    const service = defineService(AGENT_SERVICE, agentMethods, handlers as unknown as Handlers<typeof agentMethods>);
    await fc.assert(
      fc.asyncProperty(inPieces(brokenBytes(...requests)), async (pieces) => {
        const [ours, theirs] = memoryStreams();
        const connection = serve(ours, service, silentLog);
        const answers: Frame[] = [];
        const decoder = new FrameDecoder();
        const reading = (async () => {
          for (let chunk = await theirs.read(); chunk !== undefined; chunk = await theirs.read()) {
            answers.push(...decoder.push(chunk));
          }
        })();
        for (const piece of pieces) await theirs.write(piece).catch(() => {});
        await connection.drained();
        connection.close();
        await Promise.all([connection.ended, reading]);
        const asked = decodeAll(new FrameDecoder(), pieces).frames;
        expect(answers.length).toBeLessThanOrEqual(asked.length);
        for (const answer of answers) {
          expect(answer.type).toBe(FRAME_RESPONSE);
          // 13 is INTERNAL: a defect of ours.
          expect(ttrpcResponse.decode(answer.payload).status?.code ?? 0).not.toBe(13);
        }
      }),
      runs(500),
    );
  });

  it('a client has an answer or a Fault, whatever the peer says', async () => {
    const status = {
      code: 5,
      message: 'no',
      details: [{ typeUrl: 'berth.v1.Fault', value: new TextEncoder().encode('{"code":"io","fields":{}}') }],
    };
    const replies = [ttrpcResponse.encode({ payload: new Uint8Array([8, 1]) }), ttrpcResponse.encode({ status })];
    const samples = replies.map((payload) => encodeFrame({ streamId: 1, type: FRAME_RESPONSE, payload }));
    await fc.assert(
      fc.asyncProperty(inPieces(brokenBytes(...samples)), anyText(), async (pieces, text) => {
        const [ours, theirs] = memoryStreams();
        const client = createClient(ours, AGENT_SERVICE, agentMethods);
        const call = client.call('waitContainer', { containerId: text }).catch((error: unknown) => {
          expect(error).toBeInstanceOf(Fault);
          return undefined;
        });
        for (const piece of pieces) await theirs.write(piece).catch(() => {});
        theirs.close();
        const answer = await call;
        if (answer !== undefined) expect(Number.isSafeInteger(answer.exitCode)).toBe(true);
        expect(await client.closed).toBeInstanceOf(Fault);
      }),
      runs(500),
    );
  });
});
