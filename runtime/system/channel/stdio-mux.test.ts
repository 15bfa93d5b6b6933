import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../../proto/fault.ts';
import { encodeStdioFrame, STDERR, STDIN, STDOUT, WINDOW_BYTES } from '../../../proto/stdio-frame.ts';
import type { ByteStream } from '../port.ts';
import { memoryStreams } from '../rpc/memory-stream.ts';
import { StdioMux } from './stdio-mux.ts';
import type { StdioReceiver } from './stdio-receiver.ts';

const MEGABYTE = 1 << 20;

/** Bytes whose value follows from their place, so that a lost or doubled one shows. */
function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 1) bytes[i] = (i * 31 + (i >> 8) * 7 + seed) & 0xff;
  return bytes;
}

async function sendAll(mux: StdioMux, stream: 0 | 1 | 2, data: Uint8Array, pieceBytes: number): Promise<void> {
  const sender = mux.sender(1, stream);
  for (let offset = 0; offset < data.length; offset += pieceBytes) {
    await sender.send(data.subarray(offset, offset + pieceBytes));
  }
  sender.end();
  await sender.drained();
}

async function readAll(receiver: StdioReceiver): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (let chunk = await receiver.read(); chunk !== undefined; chunk = await receiver.read()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Lets everything that needs no more than settled promises happen. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Two attached ends; `ended` resolves when both have let go of the connection. */
function connect(host: StdioMux, guest: StdioMux): { ended: Promise<unknown>; cut: () => void } {
  const [left, right] = memoryStreams();
  const ended = Promise.all([host.attach(left), guest.attach(right)]);
  return { ended, cut: () => left.close() };
}

/** A connection that breaks after so many bytes in one direction, in the middle of a frame, losing the rest. */
function breakingStreams(bytes: number): readonly [ByteStream, ByteStream] {
  const [left, right] = memoryStreams();
  let remaining = bytes;
  const breaking: ByteStream = {
    read: () => left.read(),
    async write(data) {
      const passed = data.subarray(0, remaining);
      remaining -= passed.length;
      await left.write(passed);
      if (passed.length === data.length) return;
      left.close();
      throw new Fault('io', 'the connection broke');
    },
    close: () => left.close(),
  };
  return [breaking, right];
}

describe('StdioMux', () => {
  it('goes on with another process at the host, which knows only how much of the output was handed on', async () => {
    const guest = new StdioMux();
    const [input, output] = [pattern(MEGABYTE, 3), pattern(MEGABYTE, 4)];
    const sent = sendAll(guest, STDOUT, output, 50_000);
    const arrived = readAll(guest.receiver(1, STDIN));
    const handedOn: Uint8Array[] = [];
    const handedOnBytes = () => handedOn.reduce((sum, { length }) => sum + length, 0);

    const first = new StdioMux();
    const firstOutput = first.receiver(1, STDOUT);
    const firstConnection = connect(first, guest);
    const firstInput = sendAll(first, STDIN, input, 50_000).catch(() => {});
    while (handedOnBytes() < 300_000) handedOn.push((await firstOutput.read()) ?? new Uint8Array(0));
    firstConnection.cut();
    await firstConnection.ended;
    first.close(new Fault('io', 'killed'));
    await firstInput;

    const second = new StdioMux();
    const secondOutput = second.receiver(1, STDOUT, handedOnBytes());
    const sender = second.sender(1, STDIN);
    const secondConnection = connect(second, guest);
    const known = await sender.locate();
    expect(known).toBeLessThan(MEGABYTE);
    await sendAll(second, STDIN, input.subarray(known), 50_000);
    handedOn.push(await readAll(secondOutput));
    await sent;
    expect((await arrived).equals(input)).toBe(true);
    expect(Buffer.concat(handedOn).equals(output)).toBe(true);
    secondConnection.cut();
    await secondConnection.ended;
  });

  it('tells a later process at the host of an end that was acknowledged already', async () => {
    const guest = new StdioMux();
    const ended = sendAll(guest, STDOUT, new Uint8Array(3), 3);
    const first = new StdioMux();
    const all = readAll(first.receiver(1, STDOUT));
    const connection = connect(first, guest);
    await Promise.all([all, ended]);
    connection.cut();
    await connection.ended;
    const second = new StdioMux();
    const rest = readAll(second.receiver(1, STDOUT, 3));
    const again = connect(second, guest);
    expect(await rest).toHaveLength(0);
    again.cut();
    await again.ended;
  });

  it('carries a megabyte on both outputs at once, each complete and separate', async () => {
    const [host, guest] = [new StdioMux(), new StdioMux()];
    const [stdout, stderr] = [host.receiver(1, STDOUT), host.receiver(1, STDERR)];
    const connection = connect(host, guest);
    const [out, err] = [pattern(MEGABYTE, 1), pattern(MEGABYTE, 2)];
    const [gotOut, gotErr] = await Promise.all([
      readAll(stdout),
      readAll(stderr),
      sendAll(guest, STDOUT, out, 65_536),
      sendAll(guest, STDERR, err, 5_000),
    ]);
    expect(gotOut.equals(out)).toBe(true);
    expect(gotErr.equals(err)).toBe(true);
    connection.cut();
    await connection.ended;
  });

  it('holds a sender back at the window, without holding back another stream', async () => {
    const [host, guest] = [new StdioMux(), new StdioMux()];
    const [slow, quick] = [host.receiver(1, STDOUT), host.receiver(1, STDERR)];
    const connection = connect(host, guest);
    let isSlowDone = false;
    const slowData = pattern(2 * WINDOW_BYTES, 3);
    const slowSent = sendAll(guest, STDOUT, slowData, 10_000).then(() => {
      isSlowDone = true;
    });
    const quickData = pattern(2 * WINDOW_BYTES, 4);
    const [, got] = await Promise.all([sendAll(guest, STDERR, quickData, 10_000), readAll(quick)]);
    expect(got.equals(quickData)).toBe(true);
    expect(isSlowDone).toBe(false);
    expect((await readAll(slow)).equals(slowData)).toBe(true);
    await slowSent;
    connection.cut();
    await connection.ended;
  });

  it('acknowledges only what the consumer has handed on', async () => {
    const [host, guest] = [new StdioMux(), new StdioMux()];
    const stdin = guest.receiver(1, STDIN);
    const connection = connect(host, guest);
    let isDrained = false;
    const sent = sendAll(host, STDIN, pattern(10, 0), 10).then(() => {
      isDrained = true;
    });
    expect(await stdin.read()).toHaveLength(10);
    await settle();
    expect(isDrained).toBe(false);
    expect(await stdin.read()).toBeUndefined();
    await sent;
    connection.cut();
    await connection.ended;
  });

  it('loses and doubles nothing when the connection breaks anywhere, again and again', async () => {
    const breaks = fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 6 });
    const sizes = fc.record({
      total: fc.integer({ min: 0, max: 400_000 }),
      piece: fc.integer({ min: 900, max: 50_000 }),
    });
    await fc.assert(
      fc.asyncProperty(breaks, sizes, async (limits, { total, piece }) => {
        const [host, guest] = [new StdioMux(), new StdioMux()];
        const [stdout, stdin] = [host.receiver(1, STDOUT), guest.receiver(1, STDIN)];
        const [out, input] = [pattern(total, 5), pattern(total, 6)];
        const sent = Promise.all([sendAll(guest, STDOUT, out, piece), sendAll(host, STDIN, input, piece)]);
        const read = Promise.all([readAll(stdout), readAll(stdin)]);
        const isDone = sent.then(() => true);
        for (const [index, limit] of limits.entries()) {
          // Either end may be the one whose bytes are lost.
          const [breaking, other] = breakingStreams(limit);
          const [first, second] = index % 2 === 0 ? [host, guest] : [guest, host];
          const ended = Promise.all([first.attach(breaking), second.attach(other)]);
          if (await Promise.race([isDone, ended.then(() => false)])) {
            breaking.close();
            await ended;
            break;
          }
        }
        const connection = connect(host, guest);
        await sent;
        const [gotOut, gotInput] = await read;
        expect(gotOut.equals(out)).toBe(true);
        expect(gotInput.equals(input)).toBe(true);
        connection.cut();
        await connection.ended;
      }),
      { numRuns: 60 },
    );
  });

  it('acknowledges and drops what comes for a consumer that is gone', async () => {
    const [host, guest] = [new StdioMux(), new StdioMux()];
    const stdin = guest.receiver(1, STDIN);
    const connection = connect(host, guest);
    const sent = sendAll(host, STDIN, pattern(MEGABYTE, 7), 65_536);
    expect(await stdin.read()).toBeDefined();
    guest.discard(1, STDIN);
    await sent;
    connection.cut();
    await connection.ended;
  });

  it('acknowledges no end that was not sent, when a consumer goes that waits for more', async () => {
    const [host, guest] = [new StdioMux(), new StdioMux()];
    host.sender(1, STDIN); // open, and nothing of it was sent
    const reading = guest.receiver(1, STDIN).read();
    const connection = connect(host, guest);
    guest.discard(1, STDIN);
    expect(await reading).toBeUndefined();
    await settle();
    await sendAll(host, STDIN, pattern(10, 7), 10);
    connection.cut();
    await connection.ended;
  });

  it('tells whoever waits for a peer that is gone', async () => {
    const mux = new StdioMux();
    const reading = mux.receiver(1, STDOUT).read();
    const sending = sendAll(mux, STDIN, pattern(2 * WINDOW_BYTES, 8), 65_536);
    mux.close(new Fault('io', 'the VM is gone'));
    await expect(reading).rejects.toThrow('the VM is gone');
    await expect(sending).rejects.toThrow('the VM is gone');
    await expect(mux.receiver(2, STDOUT).read()).rejects.toThrow('the VM is gone');
  });

  it('fails the senders of a stream id that is forgotten', async () => {
    const mux = new StdioMux();
    const draining = sendAll(mux, STDOUT, pattern(10, 9), 10);
    mux.forget(1);
    await expect(draining).rejects.toThrow('closed before its peer');
  });
});

describe('StdioMux against a peer that breaks the protocol', () => {
  const header = { stdioId: 1, stream: STDOUT } as const;
  const empty = new Uint8Array(0);
  it.each([
    ['bytes that are no frame', [Uint8Array.of(...Array<number>(16).fill(0xff))]],
    ['a gap', [encodeStdioFrame({ kind: 'data', ...header, offset: 5, data: pattern(3, 0) })]],
    ['an end beyond the data', [encodeStdioFrame({ kind: 'end', ...header, offset: 5, data: empty })]],
    [
      'an acknowledgement of what was never sent',
      [encodeStdioFrame({ kind: 'ack', ...header, offset: 1, data: empty })],
    ],
    [
      'more than the window',
      Array.from({ length: 9 }, (_, index) =>
        encodeStdioFrame({ kind: 'data', ...header, offset: index * 32_768, data: pattern(32_768, 0) }),
      ),
    ],
    [
      'data after the end',
      [
        encodeStdioFrame({ kind: 'end', ...header, offset: 0, data: empty }),
        encodeStdioFrame({ kind: 'data', ...header, offset: 0, data: pattern(1, 0) }),
      ],
    ],
  ])('refuses %s', async (_name, frames) => {
    const mux = new StdioMux();
    mux.receiver(1, STDOUT);
    mux.sender(1, STDOUT);
    const [own, peer] = memoryStreams();
    for (const frame of frames) await peer.write(frame);
    await expect(mux.attach(own)).rejects.toMatchObject({ code: 'malformed' });
  });
});
