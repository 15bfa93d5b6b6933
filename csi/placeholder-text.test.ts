import { describe, expect, it } from 'vitest';
import { isPlaceholderText, placeholderText } from './placeholder-text.ts';

const ID = 'main.0123456789ab.pvc-1';

describe('text of the placeholder', () => {
  it.each([4096, 16_384, 65_536])('fills a page of %i bytes, and is seen from either end', (sizeBytes) => {
    const text = placeholderText(ID, sizeBytes);
    expect(Buffer.byteLength(text)).toBe(sizeBytes);
    const lines = text.split('\n');
    for (const screen of [lines.slice(0, 10), lines.slice(-10)]) {
      expect(screen.join('\n')).toContain('This is not your volume.');
      expect(screen.join('\n')).toContain('Give the pod a runtimeClassName that berth serves');
    }
  });

  it('says whose it is', () => {
    const text = placeholderText(ID, 4096);
    expect(isPlaceholderText(text, ID)).toBe(true);
    expect(isPlaceholderText(text, `${ID}0`)).toBe(false);
    expect(isPlaceholderText(text, ID.slice(0, -1))).toBe(false);
    expect(isPlaceholderText('', ID)).toBe(false);
  });

  it.each([0, 1, 100])('of %i bytes is no longer than that', (sizeBytes) => {
    expect(placeholderText(ID, sizeBytes)).toHaveLength(sizeBytes);
  });
});
