import { readFile, stat, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPod } from '../../deploy/demo/pod-process.ts';
import { acceleratorRecord } from '../../proto/accelerator.ts';
import { runPaths } from '../../proto/paths.ts';
import { createLab, type Lab, programs } from '../support/lab.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab.close());

/** Until it is told to end. */
const WAITS = "trap 'exit 0' TERM; echo ready yes; while :; do sleep 1; done";
const NOTICE = /^berth: the VM is emulated, and slow: .+$/m;
const hasKvm = await stat('/dev/kvm').then(
  () => true,
  () => false,
);
const recordPath = (): string => `${lab.root}${runPaths(lab.runDirectory).accelerator}`;
const readRecord = async () => acceleratorRecord.decode(await readFile(recordPath(), 'utf8'), recordPath());
const run = async (...flags: string[]) => {
  const { exitCode, stdout, stderr } = await lab.berth(['run', await lab.bundle('auto', 'echo done'), ...flags]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'done\n' });
  return stderr;
};

describe('accelerator auto', () => {
  it('runs pods whatever this host can do, and says so when it emulates; two that begin at once try once', async () => {
    const notices = await Promise.all([run('--accelerator', 'auto'), run('--accelerator', 'auto')]);
    if (!hasKvm) {
      for (const notice of notices) expect(notice).toMatch(/there is no \/dev\/kvm/);
      return;
    }
    const { chosen, reason, triedAtMs } = await readRecord();
    for (const notice of notices) {
      if (chosen === 'kvm') expect(notice).toBe('');
      else expect(notice).toMatch(NOTICE);
      if (chosen === 'tcg') expect(notice).toContain(reason);
    }
    await run('--accelerator', 'auto');
    expect((await readRecord()).triedAtMs).toBe(triedAtMs);
    expect(await lab.remains()).toEqual([]);
  });

  it.skipIf(!hasKvm)('tries again when the record is of another boot', async () => {
    const record = await readRecord();
    await writeFile(recordPath(), acceleratorRecord.encode({ ...record, bootId: 'another', reason: 'a former boot' }));
    const notice = await run('--accelerator', 'auto');
    expect(notice).not.toContain('a former boot');
    expect(await readRecord()).toMatchObject({ bootId: record.bootId, chosen: record.chosen });
  });

  it('is not asked where the caller chose', async () => {
    expect(await run('--accelerator', 'tcg')).toBe('');
    const pod = await lab.start('chosen', WAITS, ['--accelerator', 'tcg']);
    await lab.line(pod, 'ready');
    const [listed] = JSON.parse((await lab.berth(['ps', '--json'])).stdout);
    expect(listed.choices).toContainEqual({ source: 'accelerator', chosen: 'tcg', reason: 'asked for' });
    await pod.end();
    expect(await lab.remains()).toEqual([]);
  });
});

describe('the operator’s view of a pod', () => {
  it('has its logs while it lives, with what every program was asked to trace', async () => {
    const trace = ['env', 'BERTH_TRACE=record,vmm,agent,netlink', process.execPath, programs.berth, 'run'];
    const bundle = await lab.bundle('traced', WAITS);
    const pod = startPod('traced', [...lab.prefix, ...trace, bundle, '--id', 'traced', '--accelerator', 'tcg']);
    await lab.line(pod, 'ready');
    const console = await lab.berth(['logs', 'traced']);
    expect(console.stdout).toContain('agent ready');
    expect(console.stdout).toContain('"area":"netlink"');
    const shim = await lab.berth(['logs', 'traced', '--shim', '--json']);
    const lines = shim.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(JSON.parse(line).line));
    for (const seen of [
      { area: 'record', message: 'record written', kind: 'sandbox' },
      { area: 'vmm', message: 'QEMU' },
      { area: 'vmm', message: 'QMP command', command: 'qmp_capabilities' },
      { area: 'agent', message: 'agent call', call: 'createContainer', ms: expect.any(Number) },
    ]) {
      expect(lines).toContainEqual(expect.objectContaining(seen));
    }
    const followed = lab.berth(['logs', 'traced', '--shim', '--follow']);
    expect(await lab.berth(['stop', 'traced', '--timeout', '6'])).toMatchObject({ exitCode: 0 });
    expect((await followed).stdout).toContain('"call":"shutdown"');
    await pod.exitCode;
    expect(await lab.berth(['logs', 'traced'])).toMatchObject({ exitCode: 1, stdout: '' });
  });
});
