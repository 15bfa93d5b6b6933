import { expect, it } from 'vitest';
import { Fault } from '../../proto/fault.ts';
import { formatFailure } from './format-failure.ts';

it('prints the sentence with its causes, then what the fields add', () => {
  const fault = new Fault('timeout', 'the guest of pod p1 did not say hello', {
    fields: { id: 'p1', limitMs: 60_000, console: 'Linux version 6\r\nKernel panic\r\n' },
    cause: new Error('no echo'),
  });
  expect(formatFailure(fault)).toBe(
    [
      'berth: the guest of pod p1 did not say hello: no echo',
      '  limitMs: 60000',
      '  console:',
      '    Linux version 6',
      '    Kernel panic',
      '',
    ].join('\n'),
  );
});
