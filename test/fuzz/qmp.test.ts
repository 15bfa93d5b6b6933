import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import { memoryStreams } from '../../runtime/system/rpc/memory-stream.ts';
import { QmpClient } from '../../runtime/vmm/qemu/qmp.ts';
import { QmpDecoder } from '../../runtime/vmm/qemu/qmp-message.ts';
import { brokenBytes, brokenJson, inPieces, orFault, runs } from '../support/fuzz.ts';

const GREETING = { QMP: { version: { qemu: { major: 7 } }, capabilities: ['oob'] } };
const said = [
  { return: {}, id: 1 },
  { return: { running: true, status: 'running' }, id: 2 },
  { error: { class: 'GenericError', desc: 'no' }, id: 2 },
  { event: 'SHUTDOWN', data: { guest: true }, timestamp: { seconds: 1, microseconds: 2 } },
];
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const line = fc.oneof(
  fc.constantFrom(...said).map((json) => JSON.stringify(json)),
  brokenJson(GREETING, ...said),
  fc.constantFrom('', '\r', '{}', 'null', '[]', `${'['.repeat(10_000)}`),
);
const lines = fc.array(line, { maxLength: 8 }).map((list) => utf8(list.map((each) => `${each}\n`).join('')));
const input = inPieces(fc.oneof(lines, brokenBytes(...said.map((json) => utf8(`${JSON.stringify(json)}\n`)))));

describe('QMP', () => {
  it('lines are messages or malformed, however they are cut', () => {
    fc.assert(
      fc.property(input, (pieces) => {
        const read = (chunks: readonly Uint8Array[]) => {
          const decoder = new QmpDecoder();
          return orFault(['malformed'], () => chunks.flatMap((chunk) => decoder.push(chunk)));
        };
        const whole = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
        expect(read(pieces)).toEqual(read([whole]));
      }),
      runs(1000),
    );
  });

  it('a client has an answer or a Fault, whatever QEMU says, and is done when QEMU is', async () => {
    const isFault = (error: unknown): undefined => {
      expect(error).toBeInstanceOf(Fault);
      return undefined;
    };
    await fc.assert(
      fc.asyncProperty(fc.boolean(), input, async (isGreeted, pieces) => {
        const [ours, theirs] = memoryStreams();
        if (isGreeted) await theirs.write(utf8(`${JSON.stringify(GREETING)}\n`));
        const connecting = QmpClient.connect(ours, { timeoutMs: 60_000, onEvent: () => {} }).catch(isFault);
        if (isGreeted) await theirs.write(utf8('{"return":{},"id":1}\n'));
        for (const piece of pieces) await theirs.write(piece).catch(() => {});
        theirs.close();
        const client = await connecting;
        const disks = await client?.execute('query-block').catch(isFault);
        if (disks !== undefined) expect(Array.isArray(disks)).toBe(true);
        client?.close();
      }),
      runs(500),
    );
  });
});
