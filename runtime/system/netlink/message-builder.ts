const INITIAL_BYTES = 256;
const ALIGNMENT = 4;
const ATTRIBUTE_HEADER_BYTES = 4;

/**
 * Writes what netlink carries: fixed structures and attributes (struct nlattr: u16 length with header, u16 type, data
 * padded to four bytes), in the byte order of the machine, which is little-endian on every host that berth builds for.
 */
export class MessageBuilder {
  private buffer = new Uint8Array(INITIAL_BYTES);
  private view = new DataView(this.buffer.buffer);
  private length = 0;

  u8(...values: readonly number[]): this {
    this.reserve(values.length);
    for (const value of values) this.buffer[this.length++] = value;
    return this;
  }

  u16(value: number): this {
    this.reserve(2);
    this.view.setUint16(this.length, value, true);
    this.length += 2;
    return this;
  }

  u32(...values: readonly number[]): this {
    this.reserve(4 * values.length);
    for (const value of values) {
      this.view.setUint32(this.length, value, true);
      this.length += 4;
    }
    return this;
  }

  bytes(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  attribute(type: number, write: (attribute: this) => unknown): this {
    const start = this.begin(type);
    write(this);
    return this.end(start);
  }

  // Without a function of their own: most attributes are these.

  u8Attribute(type: number, value: number): this {
    const start = this.begin(type);
    return this.u8(value).end(start);
  }

  u32Attribute(type: number, value: number): this {
    const start = this.begin(type);
    return this.u32(value).end(start);
  }

  bytesAttribute(type: number, bytes: Uint8Array): this {
    const start = this.begin(type);
    return this.bytes(bytes).end(start);
  }

  /** A string as the kernel reads it: UTF-8, ended by a zero byte. */
  textAttribute(type: number, text: string): this {
    const start = this.begin(type);
    return this.bytes(new TextEncoder().encode(text)).u8(0).end(start);
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.buffer.slice(0, this.length);
  }

  private begin(type: number): number {
    const start = this.length;
    this.u16(0).u16(type);
    return start;
  }

  private end(start: number): this {
    this.view.setUint16(start, this.length - start, true);
    while (this.length % ALIGNMENT !== 0) this.u8(0);
    return this;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const grown = new Uint8Array((this.length + bytes + ATTRIBUTE_HEADER_BYTES) * 2);
    grown.set(this.buffer);
    this.buffer = grown;
    this.view = new DataView(grown.buffer);
  }
}
