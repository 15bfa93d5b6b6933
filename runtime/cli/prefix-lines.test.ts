import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { prefixLines } from './prefix-lines.ts';

/** What the sink gets, one entry for each write. */
async function prefixed(...chunks: readonly (string | Uint8Array)[]): Promise<Buffer[]> {
  const written: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (chunk.length > 0) written.push(chunk);
      done();
    },
  });
  const lines = prefixLines('log: ', sink);
  for (const chunk of chunks) lines.write(chunk);
  await new Promise<void>((resolve) => lines.end(resolve));
  return written;
}

describe('prefixed lines', () => {
  it.each<[string, string[], string[]]>([
    ['nothing', [], []],
    ['lines', ['a\nb\n'], ['log: a\nlog: b\n']],
    ['a line in pieces', ['a', 'b', 'c\nd'], ['log: abc\n', 'log: d\n']],
    ['empty lines', ['\n\na\n'], ['log: \nlog: \nlog: a\n']],
    ['an end in the middle of a line', ['a\nb'], ['log: a\n', 'log: b\n']],
    ['what carries returns', ['a\r\n'], ['log: a\r\n']],
  ])('are %s', async (_, chunks, expected) => {
    expect((await prefixed(...chunks)).map(String)).toEqual(expected);
  });

  it('keep every byte, of text and of none', async () => {
    const bytes = Uint8Array.of(0xff, 0, 0xc3, 0x0a);
    expect(Buffer.concat(await prefixed('ü', bytes))).toEqual(Buffer.concat([Buffer.from('log: ü'), bytes]));
  });

  it('that never end are cut', async () => {
    const written = await prefixed('x'.repeat(65_537), 'y', '\n');
    expect(written.map(({ length }) => length)).toEqual([5 + 65_537 + 1, 5 + 1 + 1]);
  });

  it('fail with their sink', async () => {
    const sink = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
    sink.once('error', () => {});
    const lines = prefixLines('log: ', sink);
    const failed = new Promise((resolve) => lines.once('error', resolve));
    lines.write('a\n');
    expect(await failed).toMatchObject({ message: 'EPIPE' });
  });
});
