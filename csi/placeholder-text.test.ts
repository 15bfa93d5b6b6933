import { describe, expect, it } from 'vitest';
import { placeholderText } from './placeholder-text.ts';

describe('text of the placeholder', () => {
  it.each([4096, 16_384, 65_536])('fills a page of %i bytes, and is seen from either end', (sizeBytes) => {
    const text = placeholderText(sizeBytes);
    expect(Buffer.byteLength(text)).toBe(sizeBytes);
    const lines = text.split('\n');
    for (const screen of [lines.slice(0, 10), lines.slice(-10)]) {
      expect(screen.join('\n')).toContain('This is not your volume.');
      expect(screen.join('\n')).toContain('Give the pod a runtimeClassName that berth serves');
    }
  });

  it.each([0, 1, 100])('of %i bytes is no longer than that', (sizeBytes) => {
    expect(placeholderText(sizeBytes)).toHaveLength(sizeBytes);
  });
});
