import { readFile, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { createLab, type Lab } from '../support/lab.ts';
import { qemu10 } from '../support/qemus.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab.close());

it('a pod on QEMU 10 has nothing of the QEMU of this machine', async () => {
  const script = "trap 'exit 0' TERM; echo ready yes; while :; do sleep 1; done";
  const pod = await lab.start('ten', script, ['--qemu', qemu10]);
  await lab.line(pod, 'ready');
  const vmm = `${lab.root}/proc/${(await lab.sandbox('ten')).vmm}`;
  const code = (await readFile(`${vmm}/maps`, 'utf8')).split('\n').filter((line) => / r-xp .* \//.test(line));
  const files = new Set(code.map((line) => line.slice(line.indexOf('/'))));
  expect(files.size).toBeGreaterThan(10);
  const root = await realpath(dirname(dirname(qemu10)));
  expect([...files].filter((file) => !file.startsWith(`${root}/`))).toEqual([]);
  expect(await readFile(`${vmm}/status`, 'utf8')).toMatch(/^Seccomp:\t2$/m);
  const { vmmLog } = podPaths(runPaths(lab.runDirectory), 'ten');
  expect(await readFile(`${lab.root}${vmmLog}`, 'utf8')).toBe('');
  expect(await pod.end()).toBe(0);
  expect(await lab.remains()).toEqual([]);
});
