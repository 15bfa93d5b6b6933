import { Fault } from '../../../proto/fault.ts';

const MAC_BYTES = 6;

/** Reads `02:42:0a:01:01:02`. Throws `invalid`. */
export function parseMacAddress(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) {
    throw new Fault('invalid', `${JSON.stringify(text)} is not a MAC address`);
  }
  return Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16));
}

/** Undefined for a link-layer address that is not Ethernet's: of a tunnel, of an InfiniBand port. */
export function formatMacAddress(bytes: Uint8Array): string | undefined {
  if (bytes.length !== MAC_BYTES) return undefined;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
