import { Fault } from './fault.ts';

/**
 * Protocol Buffers wire format for the few types that berth's ttrpc services use, as typed tables: a message is written
 * once, as `message({ field: kind(number) })`, and its TypeScript type follows from the table. proto3 rules: default
 * values are not sent, unknown fields are skipped, the last of repeated scalars wins.
 * https://protobuf.dev/programming-guides/encoding/
 */
export interface Message<T> {
  encode(value: Partial<T>): Uint8Array;
  /** Throws `malformed` on truncated or impossible input. */
  decode(bytes: Uint8Array): T;
}
export type MessageType<M> = M extends Message<infer T> ? T : never;

const VARINT = 0;
const BYTES = 2;

/** One value on the wire: its wire type, how to write it after the tag, how to read it. */
interface Codec<T> {
  readonly wire: number;
  readonly zero: () => T;
  readonly isZero: (value: T) => boolean;
  readonly write: (out: Writer, value: T) => void;
  readonly read: (input: Reader) => T;
}
export interface Field<T> {
  readonly number: number;
  readonly zero: () => T;
  readonly write: (out: Writer, value: T) => void;
  readonly read: (input: Reader, before: T) => T;
  readonly wire: number;
}
type TypeOf<F> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

export function message<F extends Record<string, unknown>>(fields: F): Message<TypeOf<F>> {
  const table = Object.entries(fields) as [string, Field<unknown>][];
  const byNumber = new Map(table.map(([name, field]) => [field.number, { name, field }]));
  return {
    encode(value): Uint8Array {
      const out = new Writer();
      for (const [name, field] of table) {
        const given = (value as Record<string, unknown>)[name];
        if (given !== undefined) field.write(out, given);
      }
      return out.finish();
    },
    decode(bytes): TypeOf<F> {
      const result: Record<string, unknown> = {};
      for (const [name, field] of table) result[name] = field.zero();
      const input = new Reader(bytes);
      while (!input.done) {
        const tag = input.varint();
        const known = byNumber.get(Math.floor(tag / 8));
        if (known === undefined) input.skip(tag % 8);
        else if (known.field.wire !== tag % 8)
          throw new Fault('malformed', `field ${known.name}: wire type ${tag % 8}`);
        else result[known.name] = known.field.read(input, result[known.name]);
      }
      return result as TypeOf<F>;
    },
  };
}

const single = <T>(codec: Codec<T>, number: number): Field<T> => ({
  number,
  zero: codec.zero,
  wire: codec.wire,
  write(out, value) {
    if (codec.isZero(value)) return;
    out.varint(number * 8 + codec.wire);
    codec.write(out, value);
  },
  read: (input) => codec.read(input),
});

const textCodec: Codec<string> = {
  wire: BYTES,
  zero: () => '',
  isZero: (value) => value === '',
  write: (out, value) => out.bytes(new TextEncoder().encode(value)),
  read: (input) => new TextDecoder().decode(input.bytes()),
};
const bytesCodec: Codec<Uint8Array> = {
  wire: BYTES,
  zero: () => new Uint8Array(0),
  isZero: (value) => value.length === 0,
  write: (out, value) => out.bytes(value),
  read: (input) => input.bytes(),
};
/** uint32, uint64, int64 and enums up to 2^53: what berth counts fits a JavaScript number; negatives are not used. */
const uintCodec: Codec<number> = {
  wire: VARINT,
  zero: () => 0,
  isZero: (value) => value === 0,
  write: (out, value) => out.varint(value),
  read: (input) => input.varint(),
};
const boolCodec: Codec<boolean> = {
  wire: VARINT,
  zero: () => false,
  isZero: (value) => !value,
  write: (out) => out.varint(1),
  read: (input) => input.varint() !== 0,
};

export const string = (number: number): Field<string> => single(textCodec, number);
export const bytes = (number: number): Field<Uint8Array> => single(bytesCodec, number);
export const uint = (number: number): Field<number> => single(uintCodec, number);
export const bool = (number: number): Field<boolean> => single(boolCodec, number);

export const strings = (number: number): Field<readonly string[]> => repeated(textCodec, number);

export function messages<T>(number: number, type: Message<T>): Field<readonly T[]> {
  return repeated(
    {
      wire: BYTES,
      zero: () => type.decode(new Uint8Array(0)),
      isZero: () => false,
      write: (out: Writer, value: T) => out.bytes(type.encode(value)),
      read: (input: Reader) => type.decode(input.bytes()),
    },
    number,
  );
}

/** A sub-message that may be absent. */
export function optional<T>(number: number, type: Message<T>): Field<T | undefined> {
  return {
    number,
    wire: BYTES,
    zero: () => undefined,
    write(out, value) {
      if (value === undefined) return;
      out.varint(number * 8 + BYTES);
      out.bytes(type.encode(value));
    },
    read: (input) => type.decode(input.bytes()),
  };
}

function repeated<T>(codec: Codec<T>, number: number): Field<readonly T[]> {
  return {
    number,
    wire: codec.wire,
    zero: () => [],
    write(out, values) {
      for (const value of values) {
        out.varint(number * 8 + codec.wire);
        codec.write(out, value);
      }
    },
    // The list is the message's own, from zero(): adding to it keeps long lists linear.
    read(input, before) {
      (before as T[]).push(codec.read(input));
      return before;
    },
  };
}

class Writer {
  private buffer = new Uint8Array(64);
  private length = 0;

  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new Fault('internal', `${value} is not an unsigned integer`);
    this.reserve(10);
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.buffer[this.length++] = (rest % 128) | 0x80;
    this.buffer[this.length++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  finish(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.length + more));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }
}

class Reader {
  private offset = 0;
  private readonly input: Uint8Array;

  constructor(input: Uint8Array) {
    this.input = input;
  }

  get done(): boolean {
    return this.offset >= this.input.length;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1, index = 0; index < 10; index += 1, scale *= 128) {
      const byte = this.input[this.offset++];
      if (byte === undefined) throw new Fault('malformed', 'message ends within a number');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new Fault('malformed', 'number above 2^53');
        return value;
      }
    }
    throw new Fault('malformed', 'number longer than ten bytes');
  }

  /** Of any value, also those above 2^53 and the ten bytes of a negative one: nobody wants to know it. */
  private skipVarint(): void {
    for (let index = 0; index < 10; index += 1) {
      const byte = this.input[this.offset++];
      if (byte === undefined) throw new Fault('malformed', 'message ends within a number');
      if (byte < 0x80) return;
    }
    throw new Fault('malformed', 'number longer than ten bytes');
  }

  bytes(): Uint8Array {
    const length = this.varint();
    const end = this.offset + length;
    if (end > this.input.length) throw new Fault('malformed', `message ends within a field of ${length} bytes`);
    const value = this.input.slice(this.offset, end);
    this.offset = end;
    return value;
  }

  skip(wire: number): void {
    if (wire === VARINT) this.skipVarint();
    else if (wire === BYTES) this.bytes();
    else if (wire === 1 || wire === 5) this.offset += wire === 1 ? 8 : 4;
    else throw new Fault('malformed', `wire type ${wire}`);
    if (this.offset > this.input.length) throw new Fault('malformed', 'message ends within a field');
  }
}
