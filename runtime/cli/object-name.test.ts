import { expect, it } from 'vitest';
import { isObjectName } from './object-name.ts';

it.each([
  ['a', true],
  ['photos-2026', true],
  ['0.photos.example', true],
  [`${'a'.repeat(253)}`, true],
  [`${'a'.repeat(254)}`, false],
  ['', false],
  ['Photos', false],
  ['photos_2026', false],
  ['-photos', false],
  ['photos-', false],
  ['photos..example', false],
  ['photos.', false],
  ['photos/../x', false],
  ['photos\n', false],
])('%j: %s', (name, isOne) => {
  expect(isObjectName(name)).toBe(isOne);
});
