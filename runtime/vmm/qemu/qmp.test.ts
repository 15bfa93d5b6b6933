import { describe, expect, it } from 'vitest';
import type { ByteStream } from '../../system/port.ts';
import { QmpClient } from './qmp.ts';

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** QEMU's end of the connection: what it says when it is greeted, and what it answers to each command. */
class FakeQemu implements ByteStream {
  isClosed = false;
  readonly commands: string[] = [];
  private readonly said: Uint8Array[] = [];
  private readonly answer: (command: string, id: number) => string;
  private wake = (): void => {};

  constructor(greeting: string, answer: (command: string, id: number) => string) {
    this.answer = answer;
    this.say(greeting);
  }

  say(text: string): void {
    if (text !== '') this.said.push(bytes(text));
    this.wake();
  }

  async read(): Promise<Uint8Array | undefined> {
    while (this.said.length === 0 && !this.isClosed) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.said.shift();
  }

  async write(data: Uint8Array): Promise<void> {
    const { execute, id } = JSON.parse(new TextDecoder().decode(data));
    this.commands.push(execute);
    this.say(this.answer(execute, id));
  }

  close(): void {
    this.isClosed = true;
    this.wake();
  }
}

const done = (id: number): string => `{"return": {}, "id": ${id}}\r\n`;
const disks = (id: number, node: string): string =>
  `{"return": [{"inserted": {"node-name": "${node}", "image": {"virtual-size": 7}}}], "id": ${id}}\r\n`;

function connect(qemu: FakeQemu, events: string[] = [], timeoutMs = 5000): Promise<QmpClient> {
  return QmpClient.connect(qemu, { timeoutMs, onEvent: (name) => events.push(name) });
}

describe('QmpClient', () => {
  it('negotiates, asks, and gets its answers among events', async () => {
    const events: string[] = [];
    const qemu = new FakeQemu(GREETING, (command, id) => {
      if (command !== 'query-block') return done(id);
      return `{"event": "STOP"}\r\n${disks(id, 'disk-v')}{"event": "RESUME", "data": {}}\r\n`;
    });
    const client = await connect(qemu, events);
    expect(await client.execute('query-block')).toMatchObject([{ inserted: { 'node-name': 'disk-v' } }]);
    expect(qemu.commands).toEqual(['qmp_capabilities', 'query-block']);
    expect(events).toEqual(['STOP', 'RESUME']);
  });

  it('gives each caller its own answer, in whatever order they come', async () => {
    const asked: number[] = [];
    const qemu = new FakeQemu(GREETING, (command, id) => {
      if (command === 'qmp_capabilities') return done(id);
      asked.push(id);
      return asked.length < 2
        ? ''
        : asked
            .toReversed()
            .map((each) => disks(each, `of ${each}`))
            .join('');
    });
    const client = await connect(qemu);
    const [first, second] = await Promise.all([client.execute('query-block'), client.execute('query-block')]);
    const names = [...first, ...second].map(({ inserted }) => inserted?.['node-name']);
    expect(names).toEqual(asked.map((id) => `of ${id}`));
  });

  it('passes on a refusal in QEMU words and goes on', async () => {
    const qemu = new FakeQemu(GREETING, (command, id) =>
      command === 'cont' ? `{"id": ${id}, "error": {"class": "GenericError", "desc": "not now"}}\r\n` : done(id),
    );
    const client = await connect(qemu);
    await expect(client.execute('cont')).rejects.toMatchObject({ code: 'exec', message: 'QEMU refused: not now' });
    await client.execute('qmp_capabilities');
  });

  it('does not wait for ever, neither for the greeting nor for an answer', async () => {
    const mute = new FakeQemu('', () => '');
    await expect(connect(mute, [], 10)).rejects.toMatchObject({
      code: 'timeout',
      message: 'QMP: QEMU did not answer to the greeting within 10 ms',
    });
    expect(mute.isClosed).toBe(true);
    const client = await connect(new FakeQemu(GREETING, (command, id) => (command === 'cont' ? '' : done(id))), [], 10);
    await expect(client.execute('cont')).rejects.toMatchObject({ code: 'timeout' });
  });

  it('fails every call, those that wait and those to come, when QEMU goes or says nonsense', async () => {
    for (const [end, code] of [
      [(qemu: FakeQemu) => qemu.close(), 'io'],
      [(qemu: FakeQemu) => qemu.say('nonsense\n'), 'malformed'],
      [(qemu: FakeQemu) => qemu.say('{"error": {"class": "GenericError", "desc": "bad JSON"}}\n'), 'exec'],
    ] as const) {
      const qemu = new FakeQemu(GREETING, (command, id) => (command === 'cont' ? '' : done(id)));
      const client = await connect(qemu);
      const waiting = client.execute('cont');
      end(qemu);
      await expect(waiting).rejects.toMatchObject({ code });
      await expect(client.execute('query-block')).rejects.toMatchObject({ code });
      expect(qemu.isClosed).toBe(true);
    }
  });

  it('refuses an answer of another shape', async () => {
    const client = await connect(new FakeQemu(GREETING, (_command, id) => done(id)));
    await expect(client.execute('query-block')).rejects.toMatchObject({
      code: 'malformed',
      message: expect.stringContaining('answer to query-block'),
    });
  });
});
