import { Fault } from '../../../proto/fault.ts';

const HEADER_BYTES = 4;
/** One more than the last type that is told apart: what lies beyond is not kept, and nobody asks for it. */
const TYPES = 128;
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff;

/** The structure of `bytes` bytes that a message begins with. Throws `malformed` when it is cut off. */
export function fixedPart(payload: Uint8Array, bytes: number): DataView {
  if (payload.length < bytes) {
    throw new Fault('malformed', `netlink message with ${payload.length} bytes where ${bytes} are due`);
  }
  return new DataView(payload.buffer, payload.byteOffset, bytes);
}

/**
 * The attributes of a netlink message, or those nested in one of them. Getters answer undefined for what is not there.
 */
export class Attributes {
  private readonly message: Uint8Array;
  /** At a type: where its data is, 0 if it is not there. A link has fifty attributes, of which a reader wants five. */
  private readonly places = new Uint32Array(TYPES);

  /** Reads attributes from `offset` to the end. Throws `malformed` when a length runs past the end. */
  constructor(bytes: Uint8Array, offset = 0) {
    this.message = bytes;
    const { places } = this;
    const end = bytes.length;
    // Without a DataView and without a function: either takes the engine longer than all of an attribute.
    for (let at = offset; at + HEADER_BYTES <= end; ) {
      const length = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
      if (length < HEADER_BYTES || at + length > end) {
        throw new Fault('malformed', `netlink attribute of ${length} bytes where ${end - at} are left`);
      }
      places[((bytes[at + 2] ?? 0) | ((bytes[at + 3] ?? 0) << 8)) & TYPE_MASK] = at + HEADER_BYTES;
      at += (length + 3) & ~3;
    }
  }

  bytes(type: number): Uint8Array | undefined {
    const at = this.places[type];
    return at ? this.message.subarray(at, this.endOf(at)) : undefined;
  }

  // Numbers and texts are read where they are: a subarray takes the engine longer than either.

  u32(type: number): number | undefined {
    const at = this.places[type];
    if (!at || this.endOf(at) < at + 4) return undefined;
    return this.u16At(at) + this.u16At(at + 2) * 0x10000;
  }

  /** Up to the first zero byte. */
  text(type: number): string | undefined {
    const at = this.places[type];
    if (!at) return undefined;
    const end = this.endOf(at);
    const zero = this.message.indexOf(0, at);
    return new TextDecoder().decode(this.message.subarray(at, zero < 0 || zero > end ? end : zero));
  }

  nested(type: number): Attributes | undefined {
    const bytes = this.bytes(type);
    return bytes === undefined ? undefined : new Attributes(bytes);
  }

  /** Where the attribute ends whose data begins at `at`. */
  private endOf(at: number): number {
    return at - HEADER_BYTES + this.u16At(at - HEADER_BYTES);
  }

  private u16At(at: number): number {
    return (this.message[at] ?? 0) | ((this.message[at + 1] ?? 0) << 8);
  }
}
