import { describe, expect, it } from 'vitest';
import { type HelloFound, helloLine } from '../../proto/hello.ts';
import { type Channel, Conversation } from './conversation.ts';

const nonce = (digit: string): string => digit.repeat(32);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A port whose host says these things and then leaves; undefined: nobody is there for a while. */
class ScriptedChannel implements Channel {
  readonly written: string[] = [];
  putBackGreeting: HelloFound | undefined;
  private readonly script: (Uint8Array | undefined)[];

  constructor(script: (Uint8Array | undefined)[]) {
    this.script = [...script];
  }

  async read(): Promise<Uint8Array | undefined> {
    return this.script.shift();
  }

  async write(data: Uint8Array, isOver: () => boolean): Promise<boolean> {
    if (isOver()) return false;
    // Yields in the middle, as a write does that finds no room.
    const half = data.length >> 1;
    this.written.push(new TextDecoder().decode(data.subarray(0, half)));
    await Promise.resolve();
    this.written.push(new TextDecoder().decode(data.subarray(half)));
    return true;
  }

  async awaitHost(): Promise<void> {}
  wake(): void {}
  putBack(greeting: HelloFound): void {
    this.putBackGreeting = greeting;
  }
}

describe('Conversation', () => {
  it('discards what precedes the hello, wherever it is cut, and echoes it', async () => {
    const hello = helloLine(nonce('a'));
    const channel = new ScriptedChannel([
      undefined,
      text('of the host before'),
      hello.slice(0, 7),
      hello.slice(7),
      text('x'),
    ]);
    const conversation = await Conversation.begin(channel);
    expect(channel.written.join('')).toBe(`BERTH-HELLO/1 ${nonce('a')}\n`);
    expect(await conversation.read()).toEqual(text('x'));
    expect(await conversation.read()).toBeUndefined();
  });

  it('takes the last of several hellos, and what follows it', async () => {
    const bytes = [helloLine(nonce('a')), helloLine(nonce('b')), text('early')];
    const channel = new ScriptedChannel([Buffer.concat(bytes)]);
    const conversation = await Conversation.begin(channel);
    expect(channel.written.join('')).toContain(nonce('b'));
    expect(new TextDecoder().decode(await conversation.read())).toBe('early');
  });

  it('ends at the hello of the next host, which the next conversation begins with', async () => {
    const channel = new ScriptedChannel([helloLine(nonce('a')), helloLine(nonce('b')), text('for b')]);
    const first = await Conversation.begin(channel);
    expect(await first.read()).toBeUndefined();
    await expect(first.write(text('late'))).rejects.toMatchObject({ code: 'io' });
    const second = await Conversation.begin(channel, channel.putBackGreeting);
    expect(channel.written.join('')).toContain(nonce('b'));
    expect(await second.read()).toEqual(text('for b'));
  });

  it('overhears a repetition of its own hello', async () => {
    const channel = new ScriptedChannel([helloLine(nonce('a')), helloLine(nonce('a')), text('x')]);
    const conversation = await Conversation.begin(channel);
    expect(await conversation.read()).toEqual(text('x'));
  });

  it('keeps the order of concurrent writes', async () => {
    const channel = new ScriptedChannel([helloLine(nonce('a'))]);
    const conversation = await Conversation.begin(channel);
    channel.written.length = 0;
    await Promise.all([conversation.write(text('1122')), conversation.write(text('3344'))]);
    expect(channel.written.join('')).toBe('11223344');
  });
});
