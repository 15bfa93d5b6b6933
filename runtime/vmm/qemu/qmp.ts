import * as v from 'valibot';
import { asFault, Fault } from '../../../proto/fault.ts';
import { decodeWith } from '../../../proto/record.ts';
import type { ByteStream } from '../../system/port.ts';
import { trace, traceCall } from '../../system/trace.ts';
import { encodeQmpCommand, QmpDecoder, type QmpMessage } from './qmp-message.ts';

/** The commands that berth gives, each with the part of its answer that berth reads. */
const ANSWERS = {
  qmp_capabilities: v.unknown(),
  'query-block': v.array(
    v.looseObject({
      'io-status': v.optional(v.picklist(['ok', 'failed', 'nospace'])),
      inserted: v.optional(
        v.looseObject({
          'node-name': v.optional(v.string()),
          image: v.looseObject({ 'virtual-size': v.number() }),
        }),
      ),
    }),
  ),
  block_resize: v.unknown(),
  block_set_io_throttle: v.unknown(),
  cont: v.unknown(),
} as const;
type Command = keyof typeof ANSWERS;
type Answer<C extends Command> = v.InferOutput<(typeof ANSWERS)[C]>;

export interface QmpOptions {
  /** Bound of every command, and of the greeting. */
  readonly timeoutMs: number;
  readonly onEvent: (name: string, data: unknown) => void;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** QEMU's monitor over a byte stream that it owns. Once the stream ends or says nonsense, every call is a Fault. */
export class QmpClient {
  /** Resolves when no command can be answered any more. */
  readonly closed: Promise<void>;
  private readonly stream: ByteStream;
  private readonly options: QmpOptions;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = GREETING;
  private failure: Fault | undefined;
  private announceClosed: () => void = () => {};
  private listener: (name: string, data: unknown) => void = () => {};

  private constructor(stream: ByteStream, options: QmpOptions) {
    this.stream = stream;
    this.options = options;
    this.closed = new Promise((resolve) => {
      this.announceClosed = resolve;
    });
  }

  /** Reads the greeting and enters command mode. Closes the stream if that fails. */
  static async connect(stream: ByteStream, options: QmpOptions): Promise<QmpClient> {
    const client = new QmpClient(stream, options);
    const greeted = client.answerTo(GREETING, 'the greeting');
    void client.receive();
    try {
      await greeted;
      await client.execute('qmp_capabilities');
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Fault `exec` with QEMU's words if it refuses, `timeout` if it is silent, `io` if it is gone. */
  async execute<C extends Command>(command: C, args: Readonly<Record<string, unknown>> = {}): Promise<Answer<C>> {
    if (this.failure !== undefined) throw this.failure;
    const value = await traceCall('vmm', 'QMP command', { command, arguments: args }, () => this.ask(command, args));
    return decodeWith(ANSWERS[command], value, `QMP: answer to ${command}`) as Answer<C>;
  }

  /** Events from now on, beside options.onEvent. One listener. */
  onEvent(listener: (name: string, data: unknown) => void): void {
    this.listener = listener;
  }

  close(): void {
    this.fail(new Fault('io', 'QMP: the connection is closed'));
  }

  private ask(command: Command, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.lastId += 1;
    const id = this.lastId;
    const answer = this.answerTo(id, command);
    this.stream.write(encodeQmpCommand(command, args, id)).catch((error) => this.fail(error));
    return answer;
  }

  private answerTo(id: number, what: string): Promise<unknown> {
    const { timeoutMs } = this.options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      const late = () => reject(new Fault('timeout', `QMP: QEMU did not answer to ${what} within ${timeoutMs} ms`));
      timer = setTimeout(late, timeoutMs);
    });
    return answer.finally(() => {
      clearTimeout(timer);
      this.waiting.delete(id);
    });
  }

  private async receive(): Promise<void> {
    const decoder = new QmpDecoder();
    try {
      for (let chunk = await this.stream.read(); chunk !== undefined; chunk = await this.stream.read()) {
        for (const message of decoder.push(chunk)) this.dispatch(message);
      }
      this.fail(new Fault('io', 'QMP: QEMU has closed the connection'));
    } catch (error) {
      this.fail(error);
    }
  }

  private dispatch(message: QmpMessage): void {
    switch (message.kind) {
      case 'greeting':
        this.waiting.get(GREETING)?.resolve(undefined);
        break;
      case 'event':
        trace('vmm')?.('QMP event', { event: message.name, data: message.data });
        this.options.onEvent(message.name, message.data);
        this.listener(message.name, message.data);
        break;
      case 'reply':
        this.waiting.get(message.id)?.resolve(message.value);
        break;
      case 'error':
        this.refuse(message.id, new Fault('exec', `QEMU refused: ${message.description}`));
    }
  }

  /** Without an id it is about bytes that QEMU could not parse: nothing on this connection can be relied on. */
  private refuse(id: number | undefined, refusal: Fault): void {
    if (id === undefined) throw refusal;
    this.waiting.get(id)?.reject(refusal);
  }

  private fail(error: unknown): void {
    this.failure ??= asFault(error, 'io', 'QMP: the connection failed');
    this.stream.close();
    for (const { reject } of this.waiting.values()) reject(this.failure);
    this.announceClosed();
  }
}

/** The greeting is waited for as the answer to a command that was never sent. */
const GREETING = 0;
