import * as v from 'valibot';
import { Fault } from '../../../proto/fault.ts';
import { decodeWith } from '../../../proto/record.ts';

/**
 * QEMU Machine Protocol: JSON objects, one a line, both ways. https://www.qemu.org/docs/master/interop/qmp-spec.html
 */
export type QmpMessage =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'reply'; readonly id: number; readonly value: unknown }
  /** Without an id when QEMU could not make out which command it refuses. */
  | { readonly kind: 'error'; readonly id: number | undefined; readonly class: string; readonly description: string }
  | { readonly kind: 'event'; readonly name: string; readonly data: unknown };

/** No message that berth asks for comes near it; a line without end is not QEMU's. */
const MAX_LINE_BYTES = 4 << 20;
const NEWLINE = 10;

const greeting = v.looseObject({ QMP: v.looseObject({}) });
const reply = v.looseObject({ return: v.unknown(), id: v.number() });
const failure = v.looseObject({
  error: v.looseObject({ class: v.string(), desc: v.string() }),
  id: v.optional(v.number()),
});
const event = v.looseObject({ event: v.string(), data: v.optional(v.unknown()) });

export function encodeQmpCommand(command: string, args: Readonly<Record<string, unknown>>, id: number): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
}

/** Cuts a byte stream into messages; bytes of an unfinished line wait for the next chunk. */
export class QmpDecoder {
  private parts: Uint8Array[] = [];
  private pendingBytes = 0;

  /** Throws `malformed` for a line that is no message of the protocol. */
  push(chunk: Uint8Array): QmpMessage[] {
    const messages: QmpMessage[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.finishLine(chunk.subarray(start, end)).trim();
      if (line !== '') messages.push(parseMessage(line));
      start = end + 1;
    }
    this.keep(chunk.slice(start));
    return messages;
  }

  private keep(part: Uint8Array): void {
    this.pendingBytes += part.length;
    if (this.pendingBytes > MAX_LINE_BYTES) {
      throw new Fault('malformed', `QMP: a line of more than ${MAX_LINE_BYTES} bytes`);
    }
    if (part.length > 0) this.parts.push(part);
  }

  private finishLine(end: Uint8Array): string {
    this.keep(end);
    const line = new Uint8Array(this.pendingBytes);
    let offset = 0;
    for (const part of this.parts) {
      line.set(part, offset);
      offset += part.length;
    }
    this.parts = [];
    this.pendingBytes = 0;
    return new TextDecoder().decode(line);
  }
}

function parseMessage(line: string): QmpMessage {
  const value = parseJson(line);
  if (v.is(event, value)) return { kind: 'event', name: value.event, data: value.data };
  if (v.is(reply, value)) return { kind: 'reply', id: value.id, value: value.return };
  if (v.is(greeting, value)) return { kind: 'greeting' };
  const { error, id } = decodeWith(failure, value, `QMP: ${excerpt(line)}`);
  return { kind: 'error', id, class: error.class, description: error.desc };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new Fault('malformed', `QMP: ${excerpt(line)} is not JSON`, { cause });
  }
}

const excerpt = (line: string): string => JSON.stringify(line.length > 80 ? `${line.slice(0, 80)}...` : line);
