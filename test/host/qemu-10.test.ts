import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { runNativeTests } from '../support/native-tests.ts';
import { qemu10 } from '../support/qemus.ts';

const scratch = await mkdtemp(join(tmpdir(), 'berth-qemu-10-test-'));
afterAll(() => rm(scratch, { recursive: true }));

const env = { PATH: `${dirname(qemu10)}:${process.env['PATH']}` };
const run = await runNativeTests({ scratch, rooms: ['runtime/vmm/qemu'], env });

describe('with QEMU 10 the first in the PATH', () => {
  test('it is QEMU 10', async () => {
    expect((await execa('qemu-system-x86_64', ['--version'], { env })).stdout).toMatch(/ version 10\./);
  });

  for (const { name, failure } of run.reports) {
    test(name, () => {
      if (failure !== undefined) throw new Error(failure);
    });
  }

  test('the tests come to their end', () => {
    expect(run.reports.length).toBeGreaterThan(0);
    expect({ exitCode: run.exitCode, stderr: run.stderr }).toMatchObject({ exitCode: 0 });
  });
});
