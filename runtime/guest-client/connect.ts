import { asFault, Fault } from '../../proto/fault.ts';
import { HelloScanner, helloLine } from '../../proto/hello.ts';
import { prefixedStream } from '../system/channel/prefixed-stream.ts';
import type { ByteStream, System } from '../system/port.ts';

const NONCE_BYTES = 16;

/** What the guest may take from its start to its hello, on all of its ports. */
export interface BootDeadline {
  readonly timeoutMs: number;
  /** When it is over, by System.now(). */
  readonly atMs: number;
}

/**
 * Connects to one of the guest's virtio-serial ports, a socket that the VMM serves, and shakes hands with the agent
 * (proto/hello.ts). The VMM holds our line back until the guest opens its port, so one line is enough however long the
 * boot takes. Fault `timeout` if the agent does not echo it in time, `io` if the VMM goes away before. Without a deadline
 * it waits as long as the VMM lives: a guest that the VMM has stopped answers when it goes on.
 */
export async function connectChannel(
  system: System,
  port: { readonly name: string; readonly socket: string },
  deadline?: BootDeadline,
): Promise<ByteStream> {
  const stream = await system.connect(port.socket);
  let late: Fault | undefined;
  const expire = (passed: BootDeadline): void => {
    late = lateFault(port.name, passed);
    stream.close();
  };
  const timer = deadline && setTimeout(() => expire(deadline), Math.max(0, deadline.atMs - system.now()));
  try {
    return await shakeHands(stream, toHex(system.randomBytes(NONCE_BYTES)));
  } catch (error) {
    stream.close();
    if (late !== undefined) throw late;
    throw asFault(error, 'io', `${port.name}: the connection to the guest broke`);
  } finally {
    clearTimeout(timer);
  }
}

async function shakeHands(stream: ByteStream, nonce: string): Promise<ByteStream> {
  await stream.write(helloLine(nonce));
  const scanner = new HelloScanner(nonce);
  for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) {
    const found = scanner.push(chunk);
    if (found !== undefined) return prefixedStream(found.rest, stream);
  }
  throw new Fault('io', 'the VMM closed the channel before the guest said hello');
}

function lateFault(name: string, { timeoutMs }: BootDeadline): Fault {
  const message =
    `the guest did not say hello on ${name} within ${timeoutMs} ms; ` +
    'a host that is busy or emulates needs more (berth run --boot-timeout)';
  return new Fault('timeout', message, { fields: { timeoutMs } });
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
