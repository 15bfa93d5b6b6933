import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import { parseAddress } from '../../runtime/system/netlink/address.ts';
import { NetlinkConnection } from '../../runtime/system/netlink/connection.ts';
import { fromHex } from '../../runtime/system/netlink/kernel-message.ts';
import { listLinks, parseLink } from '../../runtime/system/netlink/link.ts';
import { type NetlinkMessage, parseMessages, parseVerdict } from '../../runtime/system/netlink/message.ts';
import { listPermanentNeighbours, parseNeighbour } from '../../runtime/system/netlink/neighbour.ts';
import { findQdiscs } from '../../runtime/system/netlink/qdisc.ts';
import { listIngressFilters, parseFilter } from '../../runtime/system/netlink/redirect.ts';
import { listRoutes, parseRoute } from '../../runtime/system/netlink/route.ts';
import { brokenBytes, inPieces, orFault, runs } from '../support/fuzz.ts';

/** Answers of a Linux 6.18 kernel, shortened, each with its true length: dumps of sequence 1 and their end. */
const LINK = `
  88000000 1000 0200 01000000 17000000 0000 0100 03000000 43100100 00000000
  09000300 6574683000 000000 08000400 78050000
  16001400 62657274683a6e65743a63313a6574683000 0000
  0a000100 020000000001 0000 0a000200 ffffffffffff 0000
  18001200 09000100 7665746800 000000 08000500 02000000`;
const ADDRESS = `
  48000000 1400 0200 01000000 17000000 02188000 03000000
  08000100 0a010102 08000200 0a010102 08000400 0a0101ff 09000300 6574683000 000000 08000800 80000000`;
const ROUTE = `
  58000000 1800 0200 01000000 17000000 02100000 fe030001 04000000 08000f00 fe000000 08000100 0a090000
  08000600 32000000 0c000800 08000200 14050000 08000700 0a010102 08000500 a9fe0101 08000400 03000000`;
const MULTIPATH = `
  50000000 1800 0200 01000000 17000000 02100000 fe030001 00000000 08000f00 fe000000 08000100 0a0b0000
  24000900 10000000 03000000 08000500 0a010105 10000000 03000000 08000500 0a010106`;
const NEIGHBOUR = `
  30000000 1c00 0200 01000000 17000000 02000000 03000000 80000001 08000100 0a010101 0a000200 020000000001 0000`;
const INGRESS =
  '30000000 2400 0200 01000000 17000000 00000000 03000000 0000ffff f1ffffff 01000000 0c000100 696e677265737300';
const FILTER = `
  98000000 2c00 0200 01000000 17000000 00000000 03000000 00080080 f2ffffff 000301c0 08000100 75333200 08000b00 00000000
  64000200 14000500 01000000 00000000 00000000 00000000 08000200 00000080
  44000700 40000100 0b000100 6d697272656400 00
  30000200 20000200 02000000 00000000 04000000 01000000 01000000 01000000 02000000 0c000100 00000000 00000000`;
const DONE = '14000000 0300 0200 01000000 17000000 00000000';
/** EEXIST with the kernel's own words (NLMSGERR_ATTR_MSG). */
const REFUSAL = `
  3c000000 0200 0003 01000000 17000000 efffffff 00000000 18000500 01000000 17000000
  18000100 46696c653a6578697374732e2e2e2e2e2e2e2e00`;

/** With its first word set to its length, as a kernel has it. */
function sample(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  new DataView(bytes.buffer).setUint32(0, bytes.length, true);
  return bytes;
}
const SAMPLES = [LINK, ADDRESS, ROUTE, MULTIPATH, NEIGHBOUR, INGRESS, FILTER, DONE, REFUSAL].map(sample);
const payload = (hex: string): Uint8Array => sample(hex).subarray(16);

describe('netlink', () => {
  it('a receive is cut into messages that lie within it, or is malformed', () => {
    fc.assert(
      fc.property(brokenBytes(...SAMPLES), (bytes) => {
        const messages = orFault(['malformed'], () => parseMessages(bytes)) ?? [];
        const length = messages.reduce((sum, message) => sum + 16 + message.payload.length, 0);
        expect(length).toBeLessThanOrEqual(bytes.length);
      }),
      runs(2000),
    );
  });

  it.each<[string, (bytes: Uint8Array) => unknown, readonly string[]]>([
    ['link', parseLink, [LINK]],
    ['address', parseAddress, [ADDRESS]],
    ['route', parseRoute, [ROUTE, MULTIPATH]],
    ['neighbour', parseNeighbour, [NEIGHBOUR]],
    ['filter', parseFilter, [FILTER]],
    ['refusal', (bytes) => parseVerdict({ type: 2, flags: 0x200, sequence: 1, payload: bytes }), [REFUSAL]],
    ['end of a dump', (bytes) => parseVerdict({ type: 3, flags: 0x200, sequence: 1, payload: bytes }), [DONE]],
  ])('a %s is read, or malformed', (_kind, parse, samples) => {
    fc.assert(
      fc.property(brokenBytes(...samples.map(payload)), (bytes) => {
        orFault(['malformed'], () => parse(bytes));
      }),
      runs(1000),
    );
  });

  /** What a kernel could never say is a Fault all the same; the end of what it says is ours, to see the loop end. */
  it('an exchange ends, whatever is answered', () => {
    const link = { index: 3, name: 'eth0' };
    const asks: readonly ((netlink: NetlinkConnection) => unknown)[] = [
      listLinks,
      (netlink) => listRoutes(netlink, link),
      (netlink) => listPermanentNeighbours(netlink, link),
      (netlink) => findQdiscs(netlink, link),
      (netlink) => listIngressFilters(netlink, link),
      (netlink): NetlinkMessage[] => netlink.request({ words: 'ask', type: 16, flags: 0, payload: new Uint8Array(0) }),
    ];
    const answers = inPieces(brokenBytes(...SAMPLES)).map((pieces) => [...pieces, sample(DONE)]);
    fc.assert(
      fc.property(fc.constantFrom(...asks), answers, (ask, received) => {
        const left = [...received];
        const netlink = new NetlinkConnection({
          send: () => {},
          receive() {
            const next = left.shift();
            if (next === undefined) throw new Fault('timeout', 'nothing is left to receive');
            return next;
          },
          describeErrno: (errno) => ({ code: `E${errno}`, message: 'refused' }),
        });
        orFault(['malformed', 'io', 'timeout', 'busy', 'unsupported'], () => ask(netlink));
      }),
      runs(1500),
    );
  });
});
