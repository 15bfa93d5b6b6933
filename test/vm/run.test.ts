import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createLab, type Lab } from '../support/lab.ts';
import { QEMUS } from '../support/qemus.ts';

const MIB = 1 << 20;

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterEach(async () => {
  expect(await lab.remains()).toEqual([]);
});
afterAll(() => lab.close());

/** Every byte of a stream is its own: one that is lost, doubled or on the wrong stream changes the checksum. */
const FIRST = 100_000;
const LAST = 249_999;
const numbered = (prefix: string): string => {
  const lines = Array.from({ length: LAST - FIRST + 1 }, (_, index) => `${prefix}${FIRST + index}\n`);
  return lines.join('').slice(0, MIB);
};
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('berth run', () => {
  it.each(QEMUS)('has the exit status, standard streams and input of its container (%s)', async (_, flags) => {
    const script = `
      cat | sha256sum | cut -d ' ' -f 1 >/tmp/sum
      seq ${FIRST} ${LAST} | sed s/^/o/ | head -c ${MIB} &
      seq ${FIRST} ${LAST} | sed s/^/e/ | head -c ${MIB} >&2
      wait
      cat /tmp/sum
      exit 3
    `;
    const input = numbered('i');
    const bundle = await lab.bundle('status', script);
    const { exitCode, stdout, stderr } = await lab.berth(['run', bundle, ...flags], input);
    expect(sha256(stderr)).toBe(sha256(numbered('e')));
    expect(sha256(stdout.slice(0, MIB))).toBe(sha256(numbered('o')));
    expect(stdout.slice(MIB)).toBe(`${sha256(input)}\n`);
    expect(exitCode).toBe(3);
  });

  it('hands SIGINT on to the container, and ends with it', async () => {
    const script = "trap 'echo interrupted yes; exit 7' INT; echo ready yes; while :; do sleep 1; done";
    const pod = await lab.start('interrupted', script);
    await lab.line(pod, 'ready');
    const listed = await lab.berth(['ps']);
    expect(listed.stdout).toMatch(/^interrupted +running /m);
    await pod.signal('SIGINT');
    await lab.line(pod, 'interrupted');
    expect(await pod.exitCode).toBe(7);
  });

  it('ends the pod when its terminal goes', async () => {
    const pod = await lab.start('hung-up', 'echo ready yes; while :; do sleep 1; done');
    await lab.line(pod, 'ready');
    await pod.signal('SIGHUP');
    expect(await pod.exitCode).toBe(129);
  });

  it('ends the pod at the second signal, and at the first one while the VM boots', async () => {
    const script = "trap 'echo told yes' TERM; echo ready yes; while :; do sleep 1; done";
    const stubborn = await lab.start('stubborn', script);
    const early = await lab.start('early', script);
    await lab.waitForVmm('early');
    await early.signal('SIGTERM');
    expect(await early.exitCode).toBe(143);
    await lab.line(stubborn, 'ready');
    await stubborn.signal('SIGTERM');
    await lab.line(stubborn, 'told');
    await stubborn.signal('SIGTERM');
    expect(await stubborn.exitCode).toBe(143);
  });

  it.each(QEMUS)('is ended by berth stop (%s)', async (_, flags) => {
    const pod = await lab.start('stopped', 'echo ready yes; sleep 1000', flags);
    await lab.line(pod, 'ready');
    expect(await lab.berth(['stop', 'stopped', '--timeout', '6'])).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await pod.exitCode).not.toBe(0);
    expect(await lab.berth(['stop', 'stopped'])).toMatchObject({ exitCode: 1 });
  });

  it('goes on when its shim is killed: every line of output, and the exit status', async () => {
    const count = 400;
    const script = `i=0; while [ $i -lt ${count} ]; do echo line $i end; i=$((i + 1)); usleep 20000; done; exit 4`;
    const pod = await lab.start('orphan', script);
    for (const line of ['line 20', 'line 150']) {
      await lab.line(pod, line);
      await lab.kill((await lab.sandbox('orphan')).shim);
    }
    expect(await pod.exitCode).toBe(4);
    // What was not yet acknowledged at the kill may come twice.
    const lines = new Set(pod.lines());
    expect(Array.from({ length: count }, (_, i) => `line ${i} end`).filter((line) => !lines.has(line))).toEqual([]);
  });
});
