import { describe, expect, it } from 'vitest';
import { parseSubPath } from './sub-path.ts';

describe('parseSubPath', () => {
  it.each([
    ['', []],
    ['.', []],
    ['a', ['a']],
    ['a//b/./c/', ['a', 'b', 'c']],
    ['..a/b..', ['..a', 'b..']],
    ['ein Name mit ü', ['ein Name mit ü']],
  ])('%j', (subPath, names) => {
    expect(parseSubPath(subPath)).toEqual(names);
  });

  it.each(['/', '/a', '..', 'a/..', 'a/../b'])('refuses %j', (subPath) => {
    expect(() => parseSubPath(subPath)).toThrow(/not relative, or contains/);
  });
});
