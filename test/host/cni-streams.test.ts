import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScratch, removeScratch } from '../../deploy/demo/scratch.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { type CniNode, createCniNode } from '../support/cni-node.ts';

const REDIRECT = 'BERTH_TEST_REDIRECT';
let scratch: string;
let node: CniNode;
beforeAll(async () => {
  scratch = await createScratch();
  // The plugin, called as an engine that treats its streams badly would.
  const program = join(scratch, 'berth');
  await writeFile(program, `#!/bin/sh\neval "exec '${join(findPrograms().cniDirectory, 'berth')}' $${REDIRECT}"\n`);
  await chmod(program, 0o755);
  node = await createCniNode(program);
});
afterAll(async () => {
  await node.close();
  await removeScratch(scratch);
});

const LOST = 'the container engine did not get the answer';
let count = 0;
const addPod = () => {
  count += 1;
  return node.addPod(`pod-${count}`);
};

describe('an answer that cannot be given', () => {
  it.each([
    ['>&-', LOST],
    ['>/dev/full', LOST],
    ['>&- 2>&-', ''],
    ['>/dev/full 2>/dev/full', ''],
  ])('with %s is a failure of ADD, and is written nowhere else', async (redirect, words) => {
    const pod = await addPod();
    const { exitCode, stdout, stderr } = await pod.berth('ADD', { env: { [REDIRECT]: redirect } });
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    if (words === '') expect(stderr).toBe('');
    else expect(JSON.parse(stderr)).toMatchObject({ level: 'error', message: words });
    // Its files are whole; an engine calls DEL after an ADD that failed.
    expect(await pod.record()).toMatchObject({ state: 'ready' });
    expect(await pod.berth('DEL', { env: { [REDIRECT]: redirect } })).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await pod.remains()).toEqual([]);
  });

  it('is a failure too where it is an error', async () => {
    const pod = await addPod();
    const config = { prevResult: undefined };
    const { exitCode, stderr } = await pod.berth('ADD', { env: { [REDIRECT]: '>&-' }, config });
    expect({ exitCode, line: JSON.parse(stderr) }).toMatchObject({ exitCode: 1, line: { message: LOST } });
  });
});

describe('a stream that is closed', () => {
  it('of the input is an empty one', async () => {
    const pod = await addPod();
    expect(await pod.berth('ADD', { env: { [REDIRECT]: '<&-' } })).toMatchObject({ exitCode: 1, answer: { code: 6 } });
    expect(await pod.berth('ADD', { env: { [REDIRECT]: '<&- >&- 2>&-' } })).toMatchObject({ exitCode: 1, stderr: '' });
    expect(await pod.remains()).toEqual([]);
  });

  it('that cannot be read is said', async () => {
    const pod = await addPod();
    const { exitCode, answer } = await pod.berth('ADD', { env: { [REDIRECT]: '</run' } });
    const msg = 'could not read the network configuration from standard input';
    expect({ exitCode, answer }).toMatchObject({ exitCode: 1, answer: { code: 5, msg } });
  });

  it('of errors loses the log alone', async () => {
    const pod = await addPod();
    const env = { [REDIRECT]: '2>&-', TRACEPARENT: 'nonsense' };
    expect(await pod.berth('ADD', { env })).toMatchObject({ exitCode: 0, answer: { cniVersion: '1.0.0' }, stderr: '' });
    expect(await pod.record()).toMatchObject({ state: 'ready' });
    expect(await pod.berth('DEL', { env })).toMatchObject({ exitCode: 0, stdout: '' });
  });
});
