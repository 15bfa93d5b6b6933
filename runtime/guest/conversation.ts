import { Fault } from '../../proto/fault.ts';
import { type HelloFound, HelloScanner, helloLine } from '../../proto/hello.ts';
import type { ByteStream } from '../system/port.ts';

/** What a conversation needs of the port beneath; see HostPort. */
export interface Channel {
  read(isOver: () => boolean): Promise<Uint8Array | undefined>;
  write(data: Uint8Array, isOver: () => boolean): Promise<boolean>;
  awaitHost(): Promise<void>;
  wake(): void;
  putBack(greeting: HelloFound): void;
}

/**
 * One conversation with the host, from hello to its end (proto/hello.ts). It ends when the host leaves; and since a host
 * may leave and come back faster than the guest looks, also at the next host's hello: that one waits for our echo, so it
 * arrives alone.
 */
export class Conversation implements ByteStream {
  private readonly channel: Channel;
  private readonly nonce: string;
  private readonly hello: Uint8Array;
  private early: Uint8Array | undefined;
  private isClosed = false;
  /** Writes wait for one another: a partial write must not be cut by the next. */
  private writing: Promise<unknown> = Promise.resolve();

  private constructor(channel: Channel, { nonce, rest }: HelloFound) {
    this.channel = channel;
    this.nonce = nonce;
    this.hello = helloLine(nonce);
    this.early = rest.length > 0 ? rest : undefined;
  }

  /** Discards what comes before the host's hello, and echoes it. `greeting` is one that has come already. */
  static async begin(channel: Channel, greeting?: HelloFound): Promise<Conversation> {
    const conversation = new Conversation(channel, greeting ?? (await awaitHello(channel)));
    await conversation.write(conversation.hello);
    return conversation;
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const bytes = this.early ?? (await this.channel.read(() => this.isClosed));
      this.early = undefined;
      if (bytes === undefined || this.isClosed) break;
      const hello = bytes.length === this.hello.length ? new HelloScanner().push(bytes) : undefined;
      if (hello === undefined) return bytes;
      if (hello.nonce === this.nonce) continue;
      this.channel.putBack(hello);
      break;
    }
    this.close();
    return undefined;
  }

  async write(data: Uint8Array): Promise<void> {
    const turn = this.writing.then(() => this.channel.write(data, () => this.isClosed));
    this.writing = turn.catch(() => {});
    if (!(await turn)) throw new Fault('io', 'the host has left the channel');
  }

  close(): void {
    this.isClosed = true;
    this.channel.wake();
  }
}

/** The last hello of what has arrived: the host of an earlier one is gone. */
async function awaitHello(channel: Channel): Promise<HelloFound> {
  const scanner = new HelloScanner();
  let found: HelloFound | undefined;
  while (found === undefined) {
    const bytes = await channel.read(() => false);
    if (bytes === undefined) await channel.awaitHost();
    else found = scanner.push(bytes);
  }
  for (let next = scanner.push(found.rest); next !== undefined; next = scanner.push(found.rest)) found = next;
  return found;
}
