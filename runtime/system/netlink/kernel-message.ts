import { type NetlinkMessage, parseMessages } from './message.ts';

/**
 * A message as a test quotes it: what a Linux 6.18 kernel sent, in hexadecimal, with blanks for the reader and without
 * the attributes that nobody here reads, so that its length is the text's.
 */
export function kernelMessage(hex: string): NetlinkMessage {
  const bytes = fromHex(hex);
  new DataView(bytes.buffer).setUint32(0, bytes.length, true);
  const [message] = parseMessages(bytes);
  if (message === undefined) throw new Error('no message in the text');
  return message;
}

export const fromHex = (hex: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(hex.replaceAll(/\s/g, '').match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
