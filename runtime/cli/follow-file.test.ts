import { appendFile, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { followFile } from './follow-file.ts';
import { LineSplitter } from './line-splitter.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-follow-'));
  path = join(directory, 'log');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** What was handed on so far, and a wait for some of it. */
function reader() {
  const lines = new LineSplitter();
  const seen: string[] = [];
  const waiting = new Map<string, () => void>();
  return {
    seen,
    write(chunk: Uint8Array) {
      for (const line of lines.push(chunk)) {
        seen.push(line);
        waiting.get(line)?.();
      }
    },
    line: (line: string) =>
      new Promise<void>((resolve) => (seen.includes(line) ? resolve() : waiting.set(line, resolve))),
  };
}

describe('a log', () => {
  it('is read to its end, whatever its size', async () => {
    const { seen, write } = reader();
    await writeFile(path, `${'x'.repeat(200_000)}\nlast\r\n`);
    await followFile(path, { follow: false, write });
    expect(seen).toEqual(['x'.repeat(200_000), 'last']);
  });

  it('begins where it has not been forgotten', async () => {
    const { seen, write } = reader();
    const file = await open(path, 'w');
    await file.write('kept\n', 100_000);
    await file.close();
    await followFile(path, { follow: false, write });
    expect(seen).toEqual(['kept']);
  });

  it('is followed from before it exists until it is removed, last words included', async () => {
    const { seen, write, line } = reader();
    const followed = followFile(path, { follow: true, write });
    await writeFile(path, 'one\n');
    await line('one');
    await appendFile(path, 'two\n');
    await line('two');
    await appendFile(path, 'three\n');
    await rm(path);
    await followed;
    expect(seen).toEqual(['one', 'two', 'three']);
  });

  it('that never came is waited for until its directory is gone', async () => {
    const followed = followFile(path, { follow: true, write: () => expect.unreachable() });
    await rm(directory, { recursive: true });
    await followed;
  });
});
