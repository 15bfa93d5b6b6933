import { describe, expect, it } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import { STDERR, STDIN, STDOUT } from '../../proto/stdio-frame.ts';
import { StdioMux } from '../system/channel/stdio-mux.ts';
import { silentLog } from '../system/log.ts';
import type { ByteStream } from '../system/port.ts';
import { memoryStreams } from '../system/rpc/memory-stream.ts';
import { coupleStdio } from './container-stdio.ts';

const ID = 1;
const bytes = (text: string) => new TextEncoder().encode(text);

async function readAll(stream: { read(): Promise<Uint8Array | undefined> }): Promise<string> {
  const chunks: Uint8Array[] = [];
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Both ends of the channel, and the far ends of the host's streams. */
function setUp() {
  const [near, far] = memoryStreams();
  const [host, guest] = [new StdioMux(), new StdioMux()];
  void host.attach(near);
  void guest.attach(far);
  const [stdin, writer] = memoryStreams();
  const [stdout, reader] = memoryStreams();
  const [stderr, errorReader] = memoryStreams();
  const couple = (streams: Partial<Record<'stdin' | 'stdout' | 'stderr', ByteStream>>) =>
    coupleStdio(host, ID, { stdin: undefined, stdout: undefined, stderr: undefined, ...streams }, silentLog);
  return { host, guest, couple, stdin, writer, stdout, reader, stderr, errorReader, cut: () => near.close() };
}

describe('container stdio', () => {
  it('carries both outputs apart and whole, and is done when both have ended', async () => {
    const { guest, couple, stdout, reader, stderr, errorReader } = setUp();
    const { outputDone } = couple({ stdout, stderr });
    const read = Promise.all([readAll(reader), readAll(errorReader)]);
    const [out, error] = [guest.sender(ID, STDOUT), guest.sender(ID, STDERR)];
    const much = 'o'.repeat(1 << 20);
    await Promise.all([out.send(bytes(much)), error.send(bytes('e'))]);
    out.end();
    error.end();
    await outputDone;
    await Promise.all([out.drained(), error.drained()]);
    expect(await read).toEqual([much, 'e']);
  });

  it('carries the input, with its end', async () => {
    const { guest, couple, stdin, writer } = setUp();
    const { beginInput } = couple({ stdin });
    await writer.write(bytes('hello'));
    writer.close();
    const input = guest.receiver(ID, STDIN);
    beginInput();
    expect(await readAll(input)).toBe('hello');
  });

  it('gives a container without input its end at once, and drops output that nobody wants', async () => {
    const { guest, couple } = setUp();
    const { outputDone, beginInput } = couple({});
    const input = guest.receiver(ID, STDIN);
    beginInput();
    expect(await readAll(input)).toBe('');
    for (const stream of [STDOUT, STDERR] as const) {
      const sender = guest.sender(ID, stream);
      await sender.send(new Uint8Array(1 << 20));
      sender.end();
    }
    await outputDone;
  });

  it('goes on taking output when its sink is gone: the container must not hang', async () => {
    const { guest, couple, stdout, reader, stderr } = setUp();
    const { outputDone } = couple({ stdout, stderr });
    reader.close();
    const out = guest.sender(ID, STDOUT);
    await out.send(new Uint8Array(1 << 20));
    out.end();
    guest.sender(ID, STDERR).end();
    await Promise.all([out.drained(), outputDone]);
  });

  it('leaves the channel to other containers when an input is closed whose end another shim has sent', async () => {
    const { guest, couple, stdin, cut, host } = setUp();
    const input = guest.receiver(ID, STDIN);
    couple({}).beginInput();
    expect(await readAll(input)).toBe('');
    cut();

    const next = new StdioMux();
    const [near, far] = memoryStreams();
    const [attached] = [guest.attach(far), next.attach(near)];
    const resumed = coupleStdio(next, ID, { stdin, stdout: undefined, stderr: undefined }, silentLog);
    expect(await resumed.resumeInput()).toBe(1);
    resumed.closeInput();
    const other = next.receiver(2, STDOUT);
    const sender = guest.sender(2, STDOUT);
    await sender.send(bytes('still here'));
    sender.end();
    expect(await readAll(other)).toBe('still here');
    near.close();
    host.close(new Fault('io', 'gone'));
    await attached;
  });

  it('is done when the guest is gone', async () => {
    const { host, couple, stdout, stderr, cut } = setUp();
    const { outputDone } = couple({ stdout, stderr });
    cut();
    host.close(new Fault('io', 'gone'));
    await outputDone;
  });
});
