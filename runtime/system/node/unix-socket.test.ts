import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureNoStaleSocket, listenUnix } from './unix-socket.ts';

describe('ensureNoStaleSocket', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-socket-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('is content with nothing', async () => {
    await ensureNoStaleSocket(join(directory, 'csi.sock'));
  });

  it('names a directory that is not there', async () => {
    await expect(ensureNoStaleSocket(join(directory, 'a/csi.sock'))).rejects.toMatchObject({
      code: 'precondition',
      message: expect.stringContaining(`make it ("mkdir -p ${directory}/a")`),
    });
  });

  it('leaves what is no socket', async () => {
    const path = join(directory, 'csi.sock');
    await writeFile(path, '');
    await expect(ensureNoStaleSocket(path)).rejects.toMatchObject({ code: 'precondition' });
  });

  it('leaves a socket that is served', async () => {
    const path = join(directory, 'csi.sock');
    const listener = await listenUnix(path, (stream) => stream.close());
    await expect(ensureNoStaleSocket(path)).rejects.toMatchObject({ code: 'busy' });
    await listener.close();
  });
});
