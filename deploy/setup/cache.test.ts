import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CacheEntry, ensureCached } from './cache.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-cache-'));
  vi.stubEnv('BERTH_CACHE_DIR', root);
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

const entry = (inputs: string[], fill: CacheEntry['fill']): CacheEntry => ({
  name: 'thing',
  title: 'thing',
  inputs,
  fill,
});
const entries = (): string[] => readdirSync(root).filter((name) => name !== 'lock');

describe('cache', () => {
  it('makes an entry once for the same inputs, and another for others', async () => {
    const fill = vi.fn((directory: string) => writeFile(join(directory, 'made'), 'content'));
    const first = await ensureCached(entry(['a', 'b'], fill));
    expect(await ensureCached(entry(['a', 'b'], fill))).toBe(first);
    expect(readFileSync(join(first, 'made'), 'utf8')).toBe('content');
    expect(await ensureCached(entry(['ab'], fill))).not.toBe(first);
    expect(fill).toHaveBeenCalledTimes(2);
  });

  it('leaves nothing of an entry that could not be made, and makes it the next time', async () => {
    const failing = entry([], async (directory) => {
      await writeFile(join(directory, 'half'), '');
      throw new Error('no network');
    });
    await expect(ensureCached(failing)).rejects.toThrow('no network');
    expect(entries()).toEqual([]);
    const directory = await ensureCached(entry([], (partial) => writeFile(join(partial, 'whole'), '')));
    expect(readdirSync(directory)).toEqual(['whole']);
  });

  it('never believes what a killed set-up left, and removes it', async () => {
    await mkdir(join(root, '.partial-thing-0123'));
    writeFileSync(join(root, '.partial-thing-0123/half'), '');
    const directory = await ensureCached(entry([], (partial) => writeFile(join(partial, 'whole'), '')));
    expect(readdirSync(directory)).toEqual(['whole']);
    expect(existsSync(join(root, '.partial-thing-0123'))).toBe(false);
  });

  it('removes what nobody asked for in a month, and keeps what somebody did', async () => {
    const make = (partial: string) => writeFile(join(partial, 'made'), '');
    const [used, unused] = [await ensureCached(entry(['used'], make)), await ensureCached(entry(['unused'], make))];
    const longAgo = new Date(Date.now() - 31 * 24 * 3600 * 1000);
    for (const directory of [used, unused]) utimesSync(directory, longAgo, longAgo);
    await ensureCached(entry(['used'], make));
    const added = await ensureCached(entry(['new'], make));
    expect(entries().sort()).toEqual([used, added].map((path) => basename(path)).sort());
  });

  it('leaves what others keep in the same directory', async () => {
    const foreign = join(root, 'documents-2019');
    await mkdir(foreign);
    const longAgo = new Date(Date.now() - 31 * 24 * 3600 * 1000);
    utimesSync(foreign, longAgo, longAgo);
    await ensureCached(entry([], async () => {}));
    expect(existsSync(foreign)).toBe(true);
  });

  it('lets two that want the same entry at once make it once', async () => {
    let running = 0;
    const fill = vi.fn(async (directory: string) => {
      running += 1;
      expect(running).toBe(1);
      await writeFile(join(directory, 'made'), '');
      running -= 1;
    });
    const both = await Promise.all([ensureCached(entry(['x'], fill)), ensureCached(entry(['x'], fill))]);
    expect(both[0]).toBe(both[1]);
    expect(fill).toHaveBeenCalledTimes(1);
  });
});
