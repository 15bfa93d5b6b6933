import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeCpio } from '../../deploy/guest-image/cpio.ts';
import { guestManifestRecord } from '../../proto/guest-manifest.ts';
import { createLab, type Lab, programs } from '../support/lab.ts';
import { QEMUS } from '../support/qemus.ts';

let lab: Lab;
let bundle: string;
beforeAll(async () => {
  lab = await createLab();
  bundle = await lab.bundle('parts', 'echo never');
});
afterAll(() => lab.close());

/** A copy of the guest directory, whose parts a test takes away or spoils. */
async function copyGuest(name: string) {
  const directory = join(lab.scratch, name);
  await cp(programs.guestDirectory, directory, { recursive: true });
  const path = join(directory, 'manifest.json');
  return { directory, manifest: guestManifestRecord.decode(await readFile(path, 'utf8'), path) };
}

describe('a part that is missing is named with what brings it', () => {
  it.each(['kernel', 'initrd', 'root'] as const)('the %s of the guest', async (part) => {
    const { directory, manifest } = await copyGuest(`without-${part}`);
    await rm(join(directory, manifest[part].file));
    const { exitCode, stderr } = await lab.berth(['run', bundle, '--guest', directory]);
    expect(stderr).toContain(manifest[part].file);
    expect(stderr).toContain('npm run build');
    expect(exitCode).toBe(125);
    expect(await lab.remains()).toEqual([]);
  });

  it('QEMU', async () => {
    const { exitCode, stderr } = await lab.berth(['run', bundle, '--qemu', '/nowhere/qemu-system-x86_64']);
    expect(stderr).toContain('/nowhere/qemu-system-x86_64');
    expect(stderr).toContain('qemu-system-x86');
    expect(exitCode).toBe(125);
    expect(await lab.remains()).toEqual([]);
  });

  it('the bundle', async () => {
    const { exitCode, stderr } = await lab.berth(['run', join(lab.scratch, 'nothing')]);
    expect(stderr).toContain('config.json');
    expect(exitCode).toBe(125);
    expect(await lab.remains()).toEqual([]);
  });

  it('a command line that is wrong does nothing', async () => {
    expect(await lab.berth(['run', bundle, '--color'])).toMatchObject({
      exitCode: 125,
      stderr: expect.stringContaining("'--color'"),
    });
    expect(await lab.berth(['walk'])).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('walk') });
  });
});

describe('a guest that does not say hello', () => {
  it.each(QEMUS)('is named with its last words when it dies (%s)', async (_, flags) => {
    const { directory, manifest } = await copyGuest('broken');
    await writeFile(join(directory, manifest.initrd.file), 'this is no cpio archive');
    const { exitCode, stderr } = await lab.berth(['run', bundle, '--guest', directory, ...flags]);
    expect(stderr).toMatch(/console:\n(.*\n)*.*Kernel panic/);
    expect(exitCode).toBe(125);
    expect(await lab.remains()).toEqual([]);
  });

  it('is killed at the deadline, and nothing is left', async () => {
    const { directory, manifest } = await copyGuest('mute');
    const init = await readFile('/bin/busybox');
    const initrd = encodeCpio([{ kind: 'file', path: 'init', mode: 0o755, content: init }]);
    await writeFile(join(directory, manifest.initrd.file), initrd);
    const startMs = performance.now();
    const { exitCode, stderr } = await lab.berth(['run', bundle, '--guest', directory, '--boot-timeout', '8']);
    expect(performance.now() - startMs).toBeGreaterThan(8000);
    expect(stderr).toMatch(/hello/);
    expect(exitCode).toBe(125);
    expect(await lab.remains()).toEqual([]);
  });
});
