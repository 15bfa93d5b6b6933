import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { systemContract } from '../contract.ts';
import { createNodeSystem } from './system.ts';

describe('the port on Node', () => {
  it.each(systemContract)('$name', async ({ run }) => {
    const directory = await mkdtemp(join(tmpdir(), 'berth-port-'));
    try {
      await run(createNodeSystem(), directory);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
