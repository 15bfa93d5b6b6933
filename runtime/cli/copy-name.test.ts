import { expect, it } from 'vitest';
import { isCopyName, toCopyName } from './copy-name.ts';

it('a copy is named by its time, and known by its name', () => {
  const name = toCopyName(new Date(Date.UTC(2026, 10, 21, 16, 30, 5, 7)));
  expect(name).toBe('copy-20261121T163005.007Z.raw');
  expect(isCopyName(name)).toBe(true);
});

it.each(['image.raw', 'copy-20261121T163005.007Z.raw.partial', 'copy-x.raw', '../copy-20261121T163005.007Z.raw'])(
  '%s is none',
  (name) => {
    expect(isCopyName(name)).toBe(false);
  },
);
