import { Fault } from '../../../proto/fault.ts';

const HEADER_BYTES = 4;
/** Without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff;

/** The attributes of a netlink message, or those nested in one of them. Getters answer undefined for what is not there. */
export class Attributes {
  private readonly found = new Map<number, Uint8Array>();

  /** Reads attributes from `offset` to the end. Throws `malformed` when a length runs past the end. */
  constructor(bytes: Uint8Array, offset = 0) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = offset; at + HEADER_BYTES <= bytes.length; ) {
      const length = view.getUint16(at, true);
      if (length < HEADER_BYTES || at + length > bytes.length) {
        throw new Fault('malformed', `netlink attribute of ${length} bytes where ${bytes.length - at} are left`);
      }
      this.found.set(view.getUint16(at + 2, true) & TYPE_MASK, bytes.subarray(at + HEADER_BYTES, at + length));
      at += (length + 3) & ~3;
    }
  }

  bytes(type: number): Uint8Array | undefined {
    return this.found.get(type);
  }

  u32(type: number): number | undefined {
    const bytes = this.found.get(type);
    if (bytes === undefined || bytes.length < 4) return undefined;
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true);
  }

  /** Up to the first zero byte. */
  text(type: number): string | undefined {
    const bytes = this.found.get(type);
    if (bytes === undefined) return undefined;
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  nested(type: number): Attributes | undefined {
    const bytes = this.found.get(type);
    return bytes === undefined ? undefined : new Attributes(bytes);
  }
}
