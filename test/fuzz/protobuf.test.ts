import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agentMethods } from '../../proto/agent.ts';
import type { Message } from '../../proto/protobuf.ts';
import { shimMethods } from '../../proto/shim.ts';
import { ttrpcRequest, ttrpcResponse, ttrpcStatus } from '../../proto/ttrpc.ts';
import { brokenBytes, orFault, runs } from '../support/fuzz.ts';

const methods = { ...agentMethods, ...shimMethods };
const MESSAGES: readonly { name: string; type: Message<unknown> }[] = [
  ...Object.values(methods).flatMap(({ name, request, reply }) => [
    { name: `${name} request`, type: request as Message<unknown> },
    { name: `${name} reply`, type: reply as Message<unknown> },
  ]),
  { name: 'ttrpc request', type: ttrpcRequest as Message<unknown> },
  { name: 'ttrpc response', type: ttrpcResponse as Message<unknown> },
  { name: 'ttrpc status', type: ttrpcStatus as Message<unknown> },
];

/** Tags of the first fields with every wire type, and short values of each: most strings of them are messages. */
const field = fc
  .tuple(fc.nat({ max: 14 }), fc.constantFrom(0, 0, 2, 2, 2, 1, 5, 3, 7), fc.uint8Array({ maxLength: 9 }))
  .map(([number, wire, bytes]) => {
    const tag = number * 8 + wire;
    if (wire === 2) return [tag, bytes.length, ...bytes];
    if (wire === 0) return [tag, ...bytes.slice(0, 1).map((byte) => byte & 0x7f)];
    return [tag, ...bytes];
  });
const fields = fc.array(field, { maxLength: 6 }).map((list) => Uint8Array.from(list.flat()));
const input = fc.oneof(
  brokenBytes(),
  fields,
  fields.chain((bytes) => brokenBytes(bytes)),
);

describe('protobuf messages', () => {
  it.each(MESSAGES)('$name: any bytes are malformed, or a value that is written and read as itself', ({ type }) => {
    fc.assert(
      fc.property(input, (bytes) => {
        const value = orFault(['malformed'], () => type.decode(bytes));
        if (value !== undefined) expect(type.decode(type.encode(value as object))).toEqual(value);
      }),
      runs(150),
    );
  });
});
