import { expect, it } from 'vitest';
import { tailOf } from './console-tail.ts';

const lines = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}`);

it.each([
  ['', ''],
  ['a\r\nb\r\n\r\n', 'a\nb'],
  ['\u001b[2J\u001b[1;31mpanic\u001b[0m: no root\n', 'panic: no root'],
  [`${lines(1, 25).join('\r\n')}\r\n`, lines(6, 25).join('\n')],
])('%j ends with %j', (text, tail) => {
  expect(tailOf(text)).toBe(tail);
});
