import { Fault } from '../../../proto/fault.ts';

const HEADER_BYTES = 4;
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff;

/** The structure of `bytes` bytes that a message begins with. Throws `malformed` when it is cut off. */
export function fixedPart(payload: Uint8Array, bytes: number): DataView {
  if (payload.length < bytes) {
    throw new Fault('malformed', `netlink message with ${payload.length} bytes where ${bytes} are due`);
  }
  return new DataView(payload.buffer, payload.byteOffset, bytes);
}

/** The attributes of a netlink message, or those nested in one of them. Getters answer undefined for what is not there. */
export class Attributes {
  private readonly message: Uint8Array;
  /** Type -> where its header is. A link has some fifty attributes, of which a reader wants five: those alone are cut out. */
  private readonly headers = new Map<number, number>();

  /** Reads attributes from `offset` to the end. Throws `malformed` when a length runs past the end. */
  constructor(bytes: Uint8Array, offset = 0) {
    this.message = bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = offset; at + HEADER_BYTES <= bytes.length; ) {
      const length = view.getUint16(at, true);
      if (length < HEADER_BYTES || at + length > bytes.length) {
        throw new Fault('malformed', `netlink attribute of ${length} bytes where ${bytes.length - at} are left`);
      }
      this.headers.set(view.getUint16(at + 2, true) & TYPE_MASK, at);
      at += (length + 3) & ~3;
    }
  }

  bytes(type: number): Uint8Array | undefined {
    const at = this.headers.get(type);
    if (at === undefined) return undefined;
    const view = new DataView(this.message.buffer, this.message.byteOffset + at, HEADER_BYTES);
    return this.message.subarray(at + HEADER_BYTES, at + view.getUint16(0, true));
  }

  u32(type: number): number | undefined {
    const bytes = this.bytes(type);
    if (bytes === undefined || bytes.length < 4) return undefined;
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true);
  }

  /** Up to the first zero byte. */
  text(type: number): string | undefined {
    const bytes = this.bytes(type);
    if (bytes === undefined) return undefined;
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  nested(type: number): Attributes | undefined {
    const bytes = this.bytes(type);
    return bytes === undefined ? undefined : new Attributes(bytes);
  }
}
