import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLab, type Lab } from '../support/lab.ts';
import { buildProgram } from '../support/native-tests.ts';
import { configList, createPodNetwork, type PodNetwork } from '../support/pod-network.ts';
import { type ShellPod, startShellPod } from '../support/shell-pod.ts';

const DNS = { nameservers: ['10.96.0.10', 'fd00:96::10'], search: ['a.svc', 'svc'], options: ['ndots:5'] };
const list = configList({ main: { type: 'ptp' }, subnets: ['10.88.0.0/24', 'fd00:88::/64'], dns: DNS });
/** As a container engine adds what the pod itself asks for. */
const ASKED = { servers: ['10.96.0.11'], searches: ['b.svc'], options: ['ndots:2'] };
const asking = {
  ...list,
  plugins: list.plugins.map((plugin) =>
    plugin.type === 'berth' ? { ...plugin, capabilities: { dns: true }, runtimeConfig: { dns: ASKED } } : plugin,
  ),
};
/** Multicast reports and solicitations: at once, and again within seconds. */
const SPEAKS_WITHIN_MS = 3_000;
const LISTS = { one: list, two: asking };
const PODS = ['one', 'two'] as const;
/** Prints the address of each sender, when it is heard for the first time. linux/if_packet.h, AF_PACKET, ETH_P_ALL. */
const CAPTURE = [
  'const socket = sys.socket(17, 3, 0x0300);',
  'const heard = new Set<string>();',
  'for (;;) {',
  '  const frame = sys.receive(socket);',
  '  if (frame === -11) continue;',
  "  const sender = Array.from(frame.subarray(6, 12), (byte) => byte.toString(16).padStart(2, '0')).join(':');",
  '  if (heard.has(sender)) continue;',
  '  heard.add(sender);',
  "  sys.write(1, sys.utf8Encode(sender + '\\n'));",
  '}',
];

let lab: Lab;
let network: PodNetwork;
let scratch: string;
const addresses = new Map<string, readonly string[]>();
const pods = new Map<string, ShellPod>();
const pod = (name: string): ShellPod => {
  const found = pods.get(name);
  if (found === undefined) throw new Error(`no pod ${name}`);
  return found;
};

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-capture-'));
  lab = await createLab();
  network = await createPodNetwork(lab);
  const tools = [await buildProgram({ scratch }, 'capture', CAPTURE)];
  for (const name of PODS) addresses.set(name, await network.attach(name, LISTS[name]));
  await configure('one');
  const starting = PODS.map((name) => startShellPod(lab, name, { flags: ['--netns', `/run/netns/${name}`], tools }));
  for (const started of await Promise.all(starting)) pods.set(started.name, started);
});
afterAll(async () => {
  await lab.close();
  await rm(scratch, { recursive: true });
});

/** As other plugins would: what the guest is to have beside what the main plugin made. */
async function configure(name: string): Promise<void> {
  const commands = [
    `neighbour replace 10.88.0.1 lladdr ${await macOfPeer(name)} nud permanent dev eth0`,
    'neighbour replace fe80::1 lladdr 02:00:00:00:00:99 nud permanent dev eth0',
    'address add 10.99.0.5/32 dev eth0',
    'address add fd00:99::5/128 dev eth0 nodad',
    'route add 198.51.100.0/24 via 10.88.0.1 dev eth0 src 10.99.0.5 metric 77 mtu 1300',
    'route add 203.0.113.0/24 via 192.0.2.1 dev eth0 onlink',
    'route add 100.64.0.0/10 via 10.88.0.1 dev eth0',
    'route add 100.64.0.0/10 via 10.88.0.1 dev eth0 tos 0x10 advmss 1260 window 8192',
    'route add fd05::/64 via fe80::1 dev eth0 metric 50',
    'route add fd06::/64 via fd00:88::1 dev eth0 src fd00:99::5',
  ];
  for (const command of commands) await network.inPod(name, 'ip', ...command.split(' '));
  await network.berth('ADD', name, list);
}

/** Of the other end of the pod's link. */
async function macOfPeer(name: string): Promise<string> {
  const [link] = JSON.parse(await network.inPod(name, 'ip', '-json', 'link', 'show', 'eth0'));
  const peers = JSON.parse(await network.inPeer('ip', '-json', 'link')) as { ifindex: number; address: string }[];
  return peers.find(({ ifindex }) => ifindex === link.link_index)?.address ?? '';
}

const port = 8000;
/** Answers the caller's question with its name. */
const SERVE = `httpd -p [::]:${port} -h /tmp`;
const url = (address: string): string => `http://${address.includes(':') ? `[${address}]` : address}:${port}/name`;

it('has IPv4 and IPv6 to the node and between pods, both ways', async () => {
  for (const name of PODS) await pod(name).run(`echo ${name} >/tmp/name; ${SERVE}`);
  await network.inPeer(
    'sh',
    '-c',
    `mkdir -p /run/www; echo peer >/run/www/name; busybox httpd -p [::]:${port} -h /run/www`,
  );
  const gateways = ['10.88.0.1', 'fd00:88::1'];
  for (const name of PODS) {
    const other = name === 'one' ? 'two' : 'one';
    const others = addresses.get(other) ?? [];
    for (const address of [...gateways, ...others]) await pod(name).run(`ping -c 2 -A -W 5 ${address}`);
    const ask = (hosts: readonly string[]) =>
      pod(name).run(hosts.map((address) => `wget -q -O - '${url(address)}'`).join('; '));
    expect([await ask(gateways), await ask(others)]).toEqual(['peer\npeer', `${other}\n${other}`]);
    for (const address of addresses.get(name) ?? []) {
      await network.inPeer('busybox', 'ping', '-c', '1', '-W', '5', address);
      expect(await network.inPeer('busybox', 'wget', '-q', '-O', '-', url(address))).toBe(name);
    }
  }
});

it('has the addresses, routes and neighbours of the pod’s interface, and its DNS', async () => {
  const [one4 = '', one6 = ''] = addresses.get('one') ?? [];
  const guest = pod('one');
  const address = await guest.run('ip -o address show dev eth0');
  for (const wanted of [`${one4}/24`, `${one6}/64`, '10.99.0.5/32', 'fd00:99::5/128'])
    expect(address).toContain(wanted);
  expect(address).not.toMatch(/tentative|dadfailed/);
  const routes = (await guest.run('ip route; ip -6 route')).split('\n').map((line) => line.trim());
  expect(routes).toEqual(
    expect.arrayContaining([
      'default via 10.88.0.1 dev eth0',
      `10.88.0.0/24 via 10.88.0.1 dev eth0  src ${one4}`,
      `10.88.0.1 dev eth0 scope link  src ${one4}`,
      '198.51.100.0/24 via 10.88.0.1 dev eth0  src 10.99.0.5  metric 77',
      '203.0.113.0/24 via 192.0.2.1 dev eth0 onlink',
    ]),
  );
  expect(routes.join('\n')).toMatch(/^fd05::\/64 via fe80::1 dev eth0 .*metric 50/m);
  expect(routes.join('\n')).toMatch(/^fd06::\/64 via fd00:88::1 dev eth0 .*src fd00:99::5/m);
  // Destination, then MSS with headers and window: one route is for a type of service of its own.
  const asked = await guest.run(`awk '$2 == "00004064" { print $9, $10 }' /proc/net/route`);
  expect(asked.split('\n').sort()).toEqual(['0 0', '1300 8192']);
  const neighbours = await guest.run('ip neigh show nud permanent');
  expect(neighbours).toContain(`10.88.0.1 dev eth0 lladdr ${await macOfPeer('one')}`);
  expect(neighbours).toContain('fe80::1 dev eth0 lladdr 02:00:00:00:00:99');
  expect(await guest.run('cat /etc/resolv.conf')).toBe(
    'nameserver 10.96.0.10\nnameserver fd00:96::10\nsearch a.svc svc\noptions ndots:5',
  );
  expect(await pod('two').run('cat /etc/resolv.conf')).toBe('nameserver 10.96.0.11\nsearch b.svc\noptions ndots:2');
});

it('hears nothing from the TAP itself', async () => {
  const guest = pod('one');
  const [tap] = (await network.inPod('one', 'ip', '-brief', 'link', 'show', 'type', 'tun')).split(/\s+/);
  const mac = JSON.parse(await network.inPod('one', 'ip', '-json', 'link', 'show', tap ?? ''))[0].address;
  await guest.run('ip link set eth0 promisc on; capture >/tmp/heard &');
  const heardPeer = async () =>
    guest.run(`ping -c 1 10.88.0.1 >&-; until grep ${await macOfPeer('one')} /tmp/heard; do sleep 0.1; done`);
  // What makes a stack speak up: its link comes back.
  for (const state of ['down', 'up']) await network.inPod('one', 'ip', 'link', 'set', tap ?? '', state);
  await setTimeout(SPEAKS_WITHIN_MS);
  await heardPeer();
  expect(await guest.run('cat /tmp/heard')).not.toContain(mac);
  // With its stack allowed to speak, it is heard: so the silence is no deaf ear.
  await network.inPod('one', 'ip', 'link', 'set', tap ?? '', 'addrgenmode', 'eui64');
  await network.inPod('one', 'sh', '-c', `echo 0 >/proc/sys/net/ipv6/conf/${tap}/disable_ipv6`);
  await guest.run(`until grep ${mac} /tmp/heard; do sleep 0.1; done; kill $!`);
  await network.inPod('one', 'sh', '-c', `echo 1 >/proc/sys/net/ipv6/conf/${tap}/disable_ipv6`);
  await network.inPod('one', 'ip', 'link', 'set', tap ?? '', 'addrgenmode', 'none');
});

it('is in order by CHECK, and is not taken from a VM that runs', async () => {
  for (const name of PODS) expect(await network.berth('CHECK', name, LISTS[name])).toBe('');
  expect(JSON.parse(await network.berth('DEL', 'one', list))).toMatchObject({
    code: 11,
    msg: expect.stringMatching(/^a VMM has berth\d+ open; end the pod's virtual machine first/),
  });
  await pod('one').run('ping -c 1 10.88.0.1');
});

it('leaves nothing', async () => {
  for (const name of PODS) {
    expect(await pod(name).end()).toBe(0);
    await network.detach(name, LISTS[name]);
    expect(await network.inPod(name, 'ip', '-brief', 'link', 'show', 'type', 'tun')).toBe('');
    await network.remove(name);
  }
  expect(await lab.remains()).toEqual([]);
});
