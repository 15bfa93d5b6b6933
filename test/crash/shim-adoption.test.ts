import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { inNetns } from '../../deploy/demo/netns.ts';
import { createNodeNetwork } from '../../deploy/demo/network.ts';
import type { Sandbox } from '../../proto/sandbox-record.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { createLab, type Lab, programs } from '../support/lab.ts';
import { createShims, type Shims } from '../support/shims.ts';

const BOOTS_MS = 180_000;
const LOOK_AGAIN_MS = 10;
/** Without what follows from whether a VMM holds the TAP. */
const LOOK_AT_NETWORK = `
  ip -details link | sed -E 's/(NO-CARRIER|LOWER_UP),?//g; s/ (state [A-Z]+|qlen [0-9]+)//g'
  for link in $(ls /sys/class/net); do tc -details filter show dev $link ingress; done
  ip -oneline address show scope global; ip route`;

let lab: Lab;
let shims: Shims;
beforeAll(async () => {
  lab = await createLab();
  shims = createShims(lab, programs.shim);
});
afterEach(async () => {
  expect(await lab.remains()).toEqual([]);
});
afterAll(() => lab.close());

/** The record of a pod as soon as it is what is waited for. */
async function recordWhen(id: string, isDue: (record: Sandbox) => boolean): Promise<Sandbox> {
  for (;;) {
    const record = await shims.record(id);
    if (record !== undefined && isDue(record)) return record;
    await sleep(LOOK_AGAIN_MS);
  }
}

/** `berth run` whose streams the test has in its hands. */
function runPod(id: string, bundle: string) {
  const command = [...lab.prefix, process.execPath, programs.berth, 'run', bundle, '--id', id, '--accelerator', 'tcg'];
  const [file = '', ...args] = command;
  return execa(file, args, { reject: false, encoding: 'buffer', stripFinalNewline: false });
}

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');
const numbered = (prefix: string, count: number): string =>
  Array.from({ length: count }, (_, index) => `${prefix} ${index}\n`).join('');

describe('berth run whose shim is killed', () => {
  it(
    'twice while streams flow goes on as if nothing had happened: no byte is lost or doubled, the exit status is right',
    async () => {
      const lines = 30_000;
      const script = `
        exec 3<&0
        sha256sum <&3 >/tmp/input &
        i=0; while [ $i -lt ${lines} ]; do echo "out $i"; echo "err $i" >&2; i=$((i + 1)); done
        wait; cut -d ' ' -f 1 </tmp/input; exit 5`;
      const input = numbered('in', 400_000);
      const pod = runPod('streams', await lab.bundle('streams', script));
      const halves = [input.slice(0, input.length / 2), input.slice(input.length / 2)] as const;
      pod.stdin.write(halves[0]);
      let receivedBytes = 0;
      const killAt = [20_000, 150_000];
      const vmms = new Set<number>();
      for await (const chunk of pod.stdout) {
        receivedBytes += chunk.length;
        if (receivedBytes < (killAt[0] ?? Number.POSITIVE_INFINITY)) continue;
        killAt.shift();
        const { shim, vmm } = await lab.sandbox('streams');
        vmms.add(vmm);
        await lab.kill(shim);
        if (killAt.length === 0) pod.stdin.end(halves[1]);
      }
      const { exitCode, stdout, stderr } = await pod;
      expect(killAt).toEqual([]);
      expect(vmms.size).toBe(1);
      expect(sha256(stderr)).toBe(sha256(numbered('err', lines)));
      expect(sha256(stdout)).toBe(sha256(`${numbered('out', lines)}${sha256(input)}\n`));
      expect(exitCode).toBe(5);
    },
    BOOTS_MS,
  );

  it(
    'has its signals reach the container through the new one',
    async () => {
      const script = "trap 'echo told yes; exit 7' TERM; echo ready yes; while :; do sleep 0.1; done";
      const pod = await lab.start('signalled', script);
      await lab.line(pod, 'ready');
      await lab.kill((await lab.sandbox('signalled')).shim);
      await pod.signal('SIGTERM');
      await lab.line(pod, 'told');
      expect(await pod.exitCode).toBe(7);
    },
    BOOTS_MS,
  );

  it(
    'with its VMM says so, and leaves nothing',
    async () => {
      const pod = await lab.start('both', 'echo ready yes; sleep 1000');
      await lab.line(pod, 'ready');
      const { shim, vmm } = await lab.sandbox('both');
      await lab.kill(shim, vmm);
      expect(await pod.exitCode).toBe(125);
      expect(pod.stderr()).toMatch(/nothing of sandbox both to resume|ended before its container|killed by signal 9/);
    },
    BOOTS_MS,
  );

  it(
    'while the guest boots fails, and leaves nothing',
    async () => {
      const pod = await lab.start('booting', 'echo never');
      await lab.waitForVmm('booting');
      await lab.kill((await lab.sandbox('booting')).shim);
      expect(await pod.exitCode).toBe(125);
      expect(pod.stderr()).toContain('the shim of pod booting ended before its container');
    },
    BOOTS_MS,
  );

  it(
    'while the pod is stopped has the exit status all the same',
    async () => {
      const pod = await lab.start('stopping', 'exit 9');
      const { shim } = await recordWhen('stopping', ({ state }) => state === 'stopping');
      await lab.kill(shim.pid);
      expect(await pod.exitCode).toBe(9);
    },
    BOOTS_MS,
  );
});

describe('berth run with a sidecar, whose shim is killed', () => {
  it(
    'while the pod is stopped has the main container’s exit status all the same',
    async () => {
      const side = await lab.bundle('deaf', 'trap "" TERM; while :; do sleep 0.1; done');
      const pod = await lab.start('stopping-two', 'exit 9', ['--sidecar', `side=${side}`]);
      const { shim } = await recordWhen('stopping-two', ({ state }) => state === 'stopping');
      await lab.kill(shim.pid);
      expect(await pod.exitCode).toBe(9);
      expect(pod.stderr()).toBe('');
    },
    BOOTS_MS,
  );
});

describe('a pod whose shim was killed, without berth run', () => {
  it(
    'is ended in order by berth stop: the container is told, and what it writes then is whole',
    async () => {
      const bundle = await lab.bundle('told', "trap 'exit 0' TERM; while :; do sleep 0.1; done");
      expect((await shims.start('told')).exitCode).toBe(0);
      const shim = await shims.connect('told');
      await shim.call('create', shims.request(bundle));
      await shim.call('start', {});
      const killed = await shims.record('told');
      await lab.kill(killed?.shim.pid ?? 0);
      await shim.closed;
      const consoleLog = shims.logPath('told').replace('shim.log', 'console.log');
      const console = await open(consoleLog);
      const { exitCode, stderr } = await lab.berth(['stop', 'told']);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      const said = await console.readFile('utf8');
      await console.close();
      expect(said).toMatch(/container exited.*"exitCode":0/);
      expect(said).toContain('shut down');
    },
    BOOTS_MS,
  );

  it(
    'is adopted by a second new shim when the first is killed too, before it had a word with the guest',
    async () => {
      const bundle = await lab.bundle('again', 'sleep 1000');
      expect((await shims.start('again')).exitCode).toBe(0);
      const shim = await shims.connect('again');
      await shim.call('create', shims.request(bundle));
      const { vmm } = await recordWhen('again', ({ state }) => state === 'running');
      for (let round = 0; round < 3; round += 1) {
        const { shim: last } = await recordWhen('again', () => true);
        await lab.kill(last.pid);
        expect((await shims.start('again')).exitCode).toBe(0);
      }
      expect((await shims.record('again'))?.vmm).toEqual(vmm);
      expect((await lab.berth(['stop', 'again', '--timeout', '0'])).exitCode).toBe(0);
    },
    BOOTS_MS,
  );
});

describe('a VMM that is killed', () => {
  it(
    'while its guest boots fails the pod, and leaves nothing',
    async () => {
      const pod = await lab.start('boot', 'echo never');
      await lab.waitForVmm('boot');
      await lab.kill((await lab.sandbox('boot')).vmm);
      expect(await pod.exitCode).toBe(125);
      expect(pod.stderr()).toMatch(/signal 9/);
    },
    BOOTS_MS,
  );

  it(
    'after its shim was replaced fails the pod, and leaves nothing',
    async () => {
      const pod = await lab.start('adopted', 'echo ready yes; sleep 1000');
      await lab.line(pod, 'ready');
      const first = await lab.sandbox('adopted');
      await lab.kill(first.shim);
      await recordWhen('adopted', ({ shim }) => shim.pid !== first.shim);
      await lab.kill(first.vmm);
      expect(await pod.exitCode).toBe(125);
      expect(pod.stderr()).toMatch(/ended/);
    },
    BOOTS_MS,
  );

  it(
    'while the pod is stopped ends the stop at once',
    async () => {
      const pod = await lab.start('stubborn', "trap '' TERM; echo ready yes; while :; do sleep 1; done");
      await lab.line(pod, 'ready');
      const { vmm } = await lab.sandbox('stubborn');
      const stopped = lab.berth(['stop', 'stubborn', '--timeout', '600']);
      await recordWhen('stubborn', ({ state }) => state === 'stopping');
      await lab.kill(vmm);
      expect((await stopped).exitCode).toBe(0);
      expect(await pod.exitCode).toBe(125);
    },
    BOOTS_MS,
  );
});

describe("the pod's network", () => {
  it(
    'is as it was after VMM and shim were killed, and serves the next pod',
    async () => {
      const network = await createNodeNetwork('ptp', ['/usr/lib/cni', programs.cniDirectory], lab.prefix);
      const { netns } = await network.addPod('wired');
      const look = async (): Promise<string> => {
        const [file = '', ...args] = [...lab.prefix, ...inNetns('wired'), 'sh', '-c', LOOK_AT_NETWORK];
        return exec(file, args);
      };
      const before = await look();
      const pod = await lab.start('wired', 'echo ready yes; sleep 1000', ['--netns', netns]);
      await lab.line(pod, 'ready');
      const { shim, vmm } = await lab.sandbox('wired');
      // At once: a shim that has seen its VMM's end is soon gone too.
      await lab.kill(vmm, shim);
      expect(await pod.exitCode).toBe(125);
      expect(await look()).toBe(before);
      const next = await lab.berth(['run', await lab.bundle('next', 'ip -o link | grep -c eth0'), '--netns', netns]);
      expect(next).toMatchObject({ exitCode: 0, stdout: '1\n' });
      expect(await network.deletePod('wired')).toEqual([]);
      await network.close();
    },
    BOOTS_MS,
  );
});
