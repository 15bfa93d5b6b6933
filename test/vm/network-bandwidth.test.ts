import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLab, type Lab } from '../support/lab.ts';
import { configList, createPodNetwork, type PodNetwork } from '../support/pod-network.ts';
import { type ShellPod, startShellPod } from '../support/shell-pod.ts';

/** Slow enough that an emulated guest is not what limits it, and different each way. */
const TO_POD = 16_000_000;
const FROM_POD = 8_000_000;
const BURST = 400_000;
/** A limit counts the headers of every segment, and a receiver those of many segments once. */
const HEADERS = 1514 / 1448;
const MEASURED_MS = 2_500;
const STREAM_S = 5;
const bandwidth = { ingressRate: TO_POD, ingressBurst: BURST, egressRate: FROM_POD, egressBurst: BURST };

const list = (mode: string) =>
  configList({
    name: mode,
    main: { type: 'ptp' },
    subnets: [mode === 'tc' ? '10.93.0.0/24' : '10.94.0.0/24'],
    berth: { mode, capabilities: { bandwidth: true }, runtimeConfig: { bandwidth } },
  });
const MODES = ['tc', 'macvtap'] as const;

let lab: Lab;
let network: PodNetwork;
const addresses: Record<string, string> = {};
const guests: Record<string, ShellPod> = {};
beforeAll(async () => {
  lab = await createLab();
  network = await createPodNetwork(lab);
  for (const mode of MODES) [addresses[mode] = ''] = await network.attach(mode, list(mode));
  const starting = MODES.map((mode) => startShellPod(lab, mode, { flags: ['--netns', `/run/netns/${mode}`] }));
  for (const started of await Promise.all(starting)) guests[started.name] = started;
});
afterAll(() => lab.close());

/** Bits a second of frames that came in by an interface, when what a limit had saved up is spent. `read` answers bytes. */
async function measure(read: () => Promise<string>): Promise<number> {
  const startBytes = Number(await read());
  const startMs = performance.now();
  await setTimeout(MEASURED_MS);
  const endBytes = Number(await read());
  return ((endBytes - startBytes) * HEADERS * 8 * 1000) / (performance.now() - startMs);
}

it.each(MODES)('is what was asked for, each way, within 10 percent: %s', async (mode) => {
  const { [mode]: address = '' } = addresses;
  const { [mode]: guest } = guests;
  if (guest === undefined) throw new Error('there is no guest');
  await guest.run("nc -ll -p 5001 -e cat /dev/zero & nc -ll -p 5002 -e sh -c 'cat >/dev/null' &");
  await guest.run("until grep -qi ':138A 0*:0000 0A' /proc/net/tcp6 /proc/net/tcp; do sleep 0.1; done");
  const [route] = JSON.parse(await network.inPeer('ip', '-json', 'route', 'get', address));
  const received = '/sys/class/net/eth0/statistics/rx_bytes';
  const ways = [
    { port: 5001, program: 'cat >/dev/null', rate: FROM_POD, read: () => readLink(route.dev) },
    { port: 5002, program: 'exec cat /dev/zero', rate: TO_POD, read: () => guest.run(`cat ${received}`) },
  ];
  for (const { port, program, rate, read } of ways) {
    const stream = network.inPeer(
      'timeout',
      String(STREAM_S),
      'busybox',
      'nc',
      address,
      String(port),
      '-e',
      'sh',
      '-c',
      program,
    );
    const first = Number(await read());
    // What may pass at once has passed, and the limit holds.
    while (Number(await read()) - first < BURST / 4) await setTimeout(20);
    const share = (await measure(read)) / rate;
    await stream.catch(() => {});
    expect(share).toBeGreaterThan(0.9);
    expect(share).toBeLessThan(1.1);
  }
  expect(await network.berth('CHECK', mode, list(mode))).toBe('');
});

/** Bytes that came in by an interface of the node. */
async function readLink(name: string): Promise<string> {
  const [link] = JSON.parse(await network.inPeer('ip', '-json', '-statistics', 'link', 'show', name));
  return String(link.stats64.rx.bytes);
}
