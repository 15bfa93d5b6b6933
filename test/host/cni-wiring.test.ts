import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { type CniNode, type CniPod, createCniNode, recordedTap } from '../support/cni-node.ts';

const program = join(findPrograms().cniDirectory, 'berth');
let node: CniNode;
beforeAll(async () => {
  node = await createCniNode();
});
afterAll(async () => {
  const left = await node.records();
  await node.close();
  expect(left).toEqual([]);
});

async function redirectsOf(pod: CniPod): Promise<unknown[]> {
  const filters = await pod.tools.ingressFilters('eth0');
  return filters.flatMap(({ options }) => options.actions.map(({ to_dev }) => to_dev));
}

describe('ADD', () => {
  it('makes a TAP of several queues, of an owner, of a given name, and makes it anew for other ones', async () => {
    const pod = await node.addPod('asked');
    const named = (env: string, config = {}) => ({ env: { CNI_ARGS: env }, config });
    const tapState = async (name: string) => (await pod.tools.link(name))?.linkinfo?.info_data;
    const args = 'TC_REDIRECT_TAP_NAME=tap7;TC_REDIRECT_TAP_UID=1000;TC_REDIRECT_TAP_GID=1001';
    for (const change of [named(args, { queues: 3 }), named(args), named(args)]) {
      expect(await pod.berth('ADD', change)).toMatchObject({ exitCode: 0 });
      expect(await redirectsOf(pod)).toEqual(['tap7']);
    }
    expect(await tapState('tap7')).toMatchObject({ multi_queue: false, group: 1001 });
    expect(await pod.berth('ADD', named('', { queues: 3 }))).toMatchObject({ exitCode: 0 });
    const { name, queues } = recordedTap(await pod.record());
    expect(queues).toBe(3);
    expect(await tapState(name)).toMatchObject({ multi_queue: true });
    expect(await tapState('tap7')).toBeUndefined();
    expect(await redirectsOf(pod)).toEqual([name]);
    await pod.berth('DEL');
    expect(await pod.remains()).toEqual([]);
  });

  it.each(['tc', 'macvtap'])('that is repeated follows the MTU of the interface, also up: mode %s', async (mode) => {
    const pod = await node.addPod(`mtu-${mode}`, 'bridge');
    const config = { mode };
    for (const mtu of [1400, 1500, 1280, 1279, 1500]) {
      await pod.tools.ip('link', 'set', 'eth0', 'mtu', String(mtu));
      expect(await pod.berth('ADD', { config })).toMatchObject({ exitCode: 0 });
      const record = await pod.record();
      expect(record?.nic?.mtu).toBe(mtu);
      expect((await pod.tools.link(recordedTap(record).name))?.mtu).toBe(mtu);
      expect(await pod.tools.addresses(recordedTap(record).name)).toEqual([]);
    }
    await pod.berth('DEL');
  });

  it.each(['tc', 'macvtap'])('in mode %s wires an interface whose MTU leaves no place for IPv6', async (mode) => {
    const pod = await node.addPod(`small-${mode}`, 'bridge');
    await pod.tools.ip('link', 'set', 'eth0', 'mtu', '1279');
    for (const verb of ['ADD', 'ADD', 'CHECK', 'DEL']) {
      expect(await pod.berth(verb, { config: { mode } }), verb).toMatchObject({ exitCode: 0 });
    }
    expect(await pod.remains()).toEqual([]);
  });

  it('tells an IPv6-only pod with a gateway of the link from what the kernel knows', async () => {
    const pod = await node.addPod('ipv6-only');
    const { ip } = pod.tools;
    await ip('-4', 'address', 'flush', 'dev', 'eth0');
    for (const address of ['fd00:5::2/64', 'fd00:5::3/128']) await ip('address', 'add', address, 'dev', 'eth0');
    await ip('address', 'add', 'fd00:5::4/64', 'dev', 'eth0', 'preferred_lft', '0');
    await ip('neighbour', 'add', 'fe80::1', 'lladdr', 'ee:ee:ee:ee:ee:ee', 'dev', 'eth0', 'nud', 'permanent');
    await ip('route', 'add', 'default', 'via', 'fe80::1', 'dev', 'eth0', 'metric', '5');
    expect(await pod.berth('ADD')).toMatchObject({ exitCode: 0 });
    const { addresses = [], routes = [], neighbours } = (await pod.record())?.nic ?? {};
    expect(addresses.toSorted((one, other) => one.address.localeCompare(other.address))).toEqual([
      { address: 'fd00:5::2/64', scope: 0 },
      { address: 'fd00:5::3/128', scope: 0 },
      { address: 'fd00:5::4/64', scope: 0, deprecated: true },
    ]);
    expect(routes.filter(({ family }) => family === 4)).toEqual([]);
    expect(routes.at(-1)).toMatchObject({ family: 6, destination: '::/0', gateway: 'fe80::1', metric: 5 });
    expect(neighbours).toEqual([{ address: 'fe80::1', mac: 'ee:ee:ee:ee:ee:ee' }]);
    await pod.berth('DEL');
  });

  it.each([
    ['vhost-user', { socketPath: '/run/vpp/7.sock' }, { socketPath: '/run/vpp/7.sock' }],
    ['physical', { pciID: '0000:01:00.1' }, { pciId: '0000:01:00.1' }],
  ])('records what needs no TAP, and need not be in the namespace: %s', async (kind, reported, device) => {
    const pod = await node.addPod(kind);
    await pod.tools.ip('link', 'delete', 'eth0');
    const mac = '02:00:00:00:00:0a';
    const prevResult = {
      cniVersion: '1.1.0',
      interfaces: [{ name: 'eth0', sandbox: pod.netns, mac, mtu: 9000, ...reported }],
      ips: [{ address: '10.1.1.2/24', gateway: '10.1.1.1', interface: 0 }],
      routes: [{ dst: '0.0.0.0/0' }],
    };
    const change = { config: { cniVersion: '1.1.0', prevResult } };
    for (let time = 0; time < 2; time += 1) {
      expect(await pod.berth('ADD', change)).toMatchObject({ exitCode: 0, answer: prevResult });
    }
    expect(await pod.record()).toMatchObject({
      state: 'ready',
      device: { kind, ...device },
      nic: { mac, mtu: 9000, addresses: [{ address: '10.1.1.2/24' }], routes: [{ gateway: '10.1.1.1' }] },
    });
    expect((await pod.tools.links()).map(({ ifname }) => ifname)).toEqual(['lo']);
    expect(await pod.berth('CHECK', change)).toMatchObject({ exitCode: 0 });
    expect(await pod.berth('DEL', change)).toMatchObject({ exitCode: 0 });
    expect(await pod.remains()).toEqual([]);
  });

  it('of 200 pods at once succeeds for each, and DEL leaves nothing of any', { timeout: 120_000 }, async () => {
    const count = 200;
    const forEachPod = (script: string) =>
      node.run('sh', '-c', `for number in $(seq ${count}); do pod=crowd-$number; ${script}; done`);
    const veth = 'ip link add eth0 netns $pod type veth peer name veth$number';
    const up = 'ip -netns $pod address add 10.9.0.2/24 dev eth0 && ip -netns $pod link set eth0 up';
    await forEachPod(`ip netns add $pod && ${veth} && ${up} || exit 1`);
    const all = async (command: string) => {
      const input = JSON.stringify({
        cniVersion: '1.0.0',
        name: 'net',
        type: 'berth',
        prevResult: { cniVersion: '1.0.0' },
      });
      const variables = `CNI_COMMAND=${command} CNI_CONTAINERID=$pod CNI_NETNS=/run/netns/$pod CNI_IFNAME=eth0`;
      const answers = await node.run(
        'sh',
        '-c',
        `for number in $(seq ${count}); do
           pod=crowd-$number
           (echo '${input}' | env ${variables} ${program} >/run/$pod.answer && rm /run/$pod.answer || cat /run/$pod.answer) &
         done
         wait`,
      );
      expect(answers).toBe('');
    };
    const taps = () => forEachPod('ip -netns $pod -oneline link show type tun up');
    await all('ADD');
    expect(await node.records()).toHaveLength(count);
    expect((await taps()).match(/alias berth:net:crowd-\d+:eth0/g)).toHaveLength(count);
    await all('DEL');
    expect(await node.records()).toEqual([]);
    expect(await taps()).toBe('');
  });
});
