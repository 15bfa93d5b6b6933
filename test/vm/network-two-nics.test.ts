import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { sandboxRecord } from '../../proto/sandbox-record.ts';
import { createLab, type Lab } from '../support/lab.ts';
import { configList, createPodNetwork, type PodNetwork } from '../support/pod-network.ts';
import { twoProcessors } from '../support/qemus.ts';
import { type ShellPod, startShellPod } from '../support/shell-pod.ts';

const MTU = 9000;
const IPV4_AND_ICMP = 28;
const IPV6_AND_ICMP = 48;
const bridge = { type: 'bridge', bridge: 'br0', isGateway: true, mtu: MTU };
const jumbo = configList({ name: 'jumbo', main: bridge, subnets: ['10.90.0.0/24'], berth: { queues: 2 } });
const second = configList({ name: 'second', main: { type: 'ptp' }, subnets: ['10.91.0.0/24', 'fd00:91::/64'] });
const six = configList({
  name: 'six',
  main: { ...bridge, bridge: 'br6' },
  subnets: ['fd00:66::/64'],
  berth: { queues: 4 },
});

let lab: Lab;
let network: PodNetwork;
let two: ShellPod;
let only: ShellPod;
const addresses: Record<string, readonly string[]> = {};
beforeAll(async () => {
  lab = await createLab();
  network = await createPodNetwork(lab);
  addresses['jumbo'] = await network.attach('two', jumbo);
  addresses['second'] = await network.attach('two', second, 'net1');
  addresses['six'] = await network.attach('six', six);
  [two, only] = await Promise.all([
    startShellPod(lab, 'two', { flags: ['--netns', '/run/netns/two', ...twoProcessors] }),
    startShellPod(lab, 'six', { flags: ['--netns', '/run/netns/six'] }),
  ]);
});
afterAll(() => lab.close());

/** Pieces that arrived and pieces that were sent, of IPv4 and of IPv6. */
const FRAGMENTS =
  "awk '/^Ip: [0-9]/ {print $15, $20} /^Ip6(ReasmReqds|FragCreates) / {print $2}' /proc/net/snmp* | xargs";
const NONE = '0 0 0 0';

async function readSandbox(pod: string) {
  const { record } = podPaths(runPaths(lab.runDirectory), pod);
  return sandboxRecord.decode(await readFile(`${lab.root}${record}`, 'utf8'), record);
}

it('carries frames of 9000 bytes whole, both ways', async () => {
  const [address = ''] = addresses['jumbo'] ?? [];
  const size = MTU - IPV4_AND_ICMP;
  await two.run(`ping -c 2 -A -s ${size} 10.90.0.1`);
  await network.inPeer('busybox', 'ping', '-c', '2', '-A', '-s', String(size), address);
  expect(await two.run(FRAGMENTS)).toBe(NONE);
  await two.run(`ping -c 1 -s ${size + 1} 10.90.0.1`);
  expect(await two.run(FRAGMENTS)).toBe('2 2 0 0');
});

it('has two networks, each by its own NIC', async () => {
  await two.run('echo two >/tmp/name; httpd -p [::]:80 -h /tmp');
  const ways = [
    [addresses['jumbo']?.[0], '10.90.0.1', 'eth0'],
    [addresses['second']?.[0], '10.91.0.1', 'net1'],
    [addresses['second']?.[1], 'fd00:91::1', 'net1'],
  ] as const;
  for (const [address = '', gateway, ifName] of ways) {
    await two.run(`ping -c 1 -I ${ifName} ${gateway}`);
    expect(await two.run(`ip route get ${gateway}`)).toContain(`dev ${ifName}`);
    const url = `http://${address.includes(':') ? `[${address}]` : address}/name`;
    expect(await network.inPeer('busybox', 'wget', '-q', '-O', '-', url)).toBe('two');
  }
  expect(await two.run('cat /sys/class/net/eth0/mtu /sys/class/net/net1/mtu')).toBe(`${MTU}\n1500`);
});

it('has IPv6 alone, with frames of 9000 bytes too', async () => {
  const [address = ''] = addresses['six'] ?? [];
  const size = String(MTU - IPV6_AND_ICMP);
  await only.run(`ping -c 2 -A -s ${size} fd00:66::1`);
  await network.inPeer('busybox', 'ping', '-c', '2', '-A', '-s', size, address);
  expect(await only.run(FRAGMENTS)).toBe(NONE);
  expect(await only.run('ip -4 -o address show dev eth0')).toBe('');
  await only.run('echo six >/tmp/name; httpd -p [::]:80 -h /tmp');
  expect(await network.inPeer('busybox', 'wget', '-q', '-O', '-', `http://[${address}]/name`)).toBe('six');
});

it('has a queue for each processor, of a TAP that was made for several, and no more', async () => {
  const queues = (nic: string) => `cd /sys/class/net/${nic}/queues; echo *`;
  expect(await two.run(queues('eth0'))).toBe('rx-0 rx-1 tx-0 tx-1');
  expect(await two.run(queues('net1'))).toBe('rx-0 tx-0');
  expect(await only.run(queues('eth0'))).toBe('rx-0 tx-0');
  const { choices } = await readSandbox('six');
  expect(choices.find(({ source }) => source.startsWith('interface eth0'))?.reason).toMatch(/, 1 of its 4$/);
});

it('works all of its queues', async () => {
  const [address = ''] = addresses['jumbo'] ?? [];
  // Connections are spread over queues by a hash of their ports.
  const ask = `for n in $(seq 16); do busybox wget -q -O - http://${address}/name; done`;
  expect((await network.inPeer('sh', '-c', ask)).split('\n')).toEqual(new Array(16).fill('two'));
  const nic = 'nic=$(basename $(readlink /sys/class/net/eth0/device))';
  const interrupts = await two.run(
    `${nic}; awk -v "q=$nic-input" 'index($NF, q) == 1 {print $2 + $3}' /proc/interrupts`,
  );
  const counts = interrupts.split('\n').map(Number);
  expect(counts).toHaveLength(2);
  expect(Math.min(...counts)).toBeGreaterThan(0);
});

it('leaves nothing', async () => {
  expect(await Promise.all([two.end(), only.end()])).toEqual([0, 0]);
  await network.detach('two', second, 'net1');
  await network.detach('two', jumbo);
  await network.detach('six', six);
  for (const pod of ['two', 'six']) {
    expect(await network.inPod(pod, 'ip', '-brief', 'link', 'show', 'type', 'tun')).toBe('');
    await network.remove(pod);
  }
  expect(await lab.remains()).toEqual([]);
});
