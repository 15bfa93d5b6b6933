import { Fault } from '../../../proto/fault.ts';
import { Attributes, fixedPart } from './attributes.ts';
import { MessageBuilder } from './message-builder.ts';

/** struct nlmsghdr of linux/netlink.h: u32 length, u16 type, u16 flags, u32 sequence, u32 port. */
const HEADER_BYTES = 16;

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

/** Flags of a request. */
export const NLM_F = { REQUEST: 1, ACK: 4, DUMP: 0x300, REPLACE: 0x100, EXCL: 0x200, CREATE: 0x400 } as const;
/** Flags of an answer. */
export const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/** What is asked of the kernel. `words` complete the sentence "could not ...": `add address 10.1.1.2/24 to eth0`. */
export interface NetlinkRequest {
  readonly words: string;
  readonly type: number;
  /** NLM_F beside REQUEST and ACK or DUMP, which the connection sets. */
  readonly flags: number;
  /** The family's fixed structure and its attributes. */
  readonly payload: Uint8Array;
}

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export function encodeMessage(message: NetlinkMessage): Uint8Array<ArrayBuffer> {
  return new MessageBuilder()
    .u32(HEADER_BYTES + message.payload.length)
    .u16(message.type)
    .u16(message.flags)
    .u32(message.sequence, 0)
    .bytes(message.payload)
    .finish();
}

/** Cuts what one receive brought into its messages. Throws `malformed` for one that is cut off. */
export function parseMessages(bytes: Uint8Array): NetlinkMessage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > bytes.length) {
      throw new Fault('malformed', `netlink message of ${length} bytes where ${bytes.length - at} are left`);
    }
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: bytes.subarray(at + HEADER_BYTES, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

/** End of an answer: `errno` 0 is success. `explanation` is the kernel's own sentence (NETLINK_EXT_ACK). */
export interface Verdict {
  readonly errno: number;
  readonly explanation?: string;
}

/** Reads an NLMSG_ERROR or the NLMSG_DONE of a dump, both of which carry a negative errno or zero. */
export function parseVerdict(message: NetlinkMessage): Verdict {
  const { payload } = message;
  if (payload.length < 4) return { errno: 0 };
  const errno = Math.abs(fixedPart(payload, 4).getInt32(0, true));
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno };
  const explanation = new Attributes(payload, attributesOffset(message)).text(NLMSGERR_ATTR_MSG);
  return explanation === undefined ? { errno } : { errno, explanation };
}

/** An NLMSG_ERROR repeats the request's header, and all of the request unless the answer is capped. */
function attributesOffset(message: NetlinkMessage): number {
  if (message.type === NLMSG_DONE) return 4;
  if ((message.flags & NLM_F_CAPPED) !== 0) return 4 + HEADER_BYTES;
  return 4 + (((fixedPart(message.payload, 8).getUint32(4, true) + 3) & ~3) >>> 0);
}
