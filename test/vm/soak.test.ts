import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { createLab, type Lab } from '../support/lab.ts';
import { createLabVolume } from '../support/lab-volumes.ts';

const SEQUENTIAL = 50;
const ROUNDS = 3;
const AT_ONCE = 4;
const WITHIN_MS = 900_000;

let lab: Lab;
let csi: CsiServer;
beforeAll(async () => {
  lab = await createLab();
  csi = await lab.csi();
});
afterAll(async () => {
  await csi.stop();
  await lab.close();
});

/** All of the world that a pod could leave something in: processes with their open files, mounts, and files in /run. */
async function look(): Promise<readonly string[]> {
  const proc = join(lab.root, 'proc');
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name));
  const processes = await Promise.all(
    pids.map(async (pid) => {
      // Empty for one that has ended, and waits for process 1 to take note.
      const command = await readFile(join(proc, pid, 'cmdline'), 'utf8').catch(() => '');
      const files = await readdir(join(proc, pid, 'fd')).catch(() => []);
      return command === '' ? [] : [`process ${pid} ${command.replaceAll('\0', ' ')}: ${files.length} files`];
    }),
  );
  const mounts = await readFile(join(proc, '1', 'mountinfo'), 'utf8');
  const entries = await readdir(join(lab.root, 'run'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
  return [...processes.flat(), ...mounts.trim().split('\n'), ...files].sort();
}

describe('many pods', () => {
  it(`leave nothing, ${SEQUENTIAL} one after another`, { timeout: WITHIN_MS }, async () => {
    const bundle = await lab.bundle('one', 'echo here; exit 3');
    const before = await look();
    for (let index = 0; index < SEQUENTIAL; index += 1) {
      const { exitCode, stdout, stderr } = await lab.berth(['run', bundle, '--id', `pod-${index}`]);
      expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 3, stdout: 'here\n', stderr: '' });
      expect(await look(), `after pod ${index}`).toEqual(before);
    }
  });

  it(`leave nothing but their data, ${AT_ONCE} at a time`, { timeout: WITHIN_MS }, async () => {
    const names = Array.from({ length: AT_ONCE }, (_, index) => `at-once-${index}`);
    const volumes = await Promise.all(names.map((name) => createLabVolume(lab, csi, name)));
    const bundle = await lab.bundle('round', 'echo round >>/data/rounds');
    const before = await look();
    for (let round = 1; round <= ROUNDS; round += 1) {
      const finished = await Promise.all(
        volumes.map(({ target }, index) =>
          lab.berth(['run', bundle, '--id', `round-${index}`, '--volume', `${target}:/data`]),
        ),
      );
      expect(finished.map(({ exitCode, stderr }) => `${exitCode}${stderr}`)).toEqual(names.map(() => '0'));
      expect(await look(), `after round ${round}`).toEqual(before);
      for (const volume of volumes) {
        expect(await volume.isLeaseFree()).toBe(true);
        expect(await volume.read('/rounds')).toBe('round\n'.repeat(round));
      }
    }
    for (const volume of volumes) await volume.remove();
    expect(await lab.remains()).toEqual([]);
  });
});
