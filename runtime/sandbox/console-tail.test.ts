import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createNodeSystem } from '../system/node/system.ts';
import { readConsoleTail, tailOf } from './console-tail.ts';

const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}`);

it.each([
  ['', ''],
  ['a\r\nb\r\n\r\n', 'a\nb'],
  ['\u001b[2J\u001b[1;31mpanic\u001b[0m: no root\n', 'panic: no root'],
  [`${lines(1, 25).join('\r\n')}\r\n`, lines(6, 25).join('\n')],
])('%j ends with %j', (text, tail) => {
  expect(tailOf(text)).toBe(tail);
});

it('does not read all that a guest wrote, though it be one line', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-console-'));
  const path = join(directory, 'console.log');
  await writeFile(path, 'x'.repeat(1 << 20));
  expect((await readConsoleTail(createNodeSystem(), path)).length).toBe(16 * 1024);
  await rm(directory, { recursive: true });
});
