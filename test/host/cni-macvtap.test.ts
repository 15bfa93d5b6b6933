import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CniNode, type CniPod, createCniNode, recordedTap } from '../support/cni-node.ts';
import { claimMacvtap } from '../support/tap-holder.ts';

let node: CniNode;
beforeAll(async () => {
  node = await createCniNode();
});
afterAll(async () => {
  const left = await node.records();
  await node.close();
  expect(left).toEqual([]);
});

const SUCCESS = { exitCode: 0 };
const macvtap = (macvtapMode?: string) => ({ config: { mode: 'macvtap', ...(macvtapMode && { macvtapMode }) } });

/** What a guest would take over, and a plugin's CHECK would look at. */
async function identityOf(pod: CniPod) {
  const link = await pod.tools.link('eth0');
  const addresses = (await pod.tools.addresses('eth0')).filter(({ local }) => !local.startsWith('fe80:'));
  const routes = (await pod.tools.routes('eth0')).filter(
    ({ dst, table }) => table === 'main' && !dst.startsWith('fe80:'),
  );
  return {
    mac: link?.address,
    mtu: link?.mtu,
    addresses: addresses.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    routes: routes.map(({ dst, gateway, protocol }) => `${dst} ${gateway} ${protocol}`).sort(),
  };
}

it('passthru, the default, leaves the interface its MAC and addresses, and puts no filter on it', async () => {
  const pod = await node.addPod('passthru', 'ptp, dual-stack');
  const before = await identityOf(pod);
  const first = await pod.berth('ADD', macvtap());
  expect(first).toMatchObject(SUCCESS);
  expect(await pod.berth('ADD', macvtap())).toEqual(first);
  expect(await identityOf(pod)).toEqual(before);
  const { name, ifIndex } = recordedTap(await pod.record());
  const link = await pod.tools.link(name);
  expect(link).toMatchObject({
    ifindex: ifIndex,
    ifname: `berth${(await pod.tools.link('eth0'))?.ifindex}`,
    address: before.mac,
    mtu: before.mtu,
    ifalias: 'berth:net:passthru:eth0',
    linkinfo: { info_kind: 'macvtap', info_data: { mode: 'passthru' } },
  });
  expect(link?.flags).toContain('UP');
  expect(await pod.tools.addresses(name)).toEqual([]);
  expect((await pod.tools.qdiscs('eth0')).map(({ kind }) => kind)).not.toContain('ingress');
  expect(await pod.record()).toMatchObject({
    state: 'ready',
    device: { kind: 'macvtap', mode: 'passthru', queues: 1 },
    ownsIngress: false,
    nic: { mac: before.mac, mtu: before.mtu },
  });
  const { interfaces } = first.answer as { interfaces: object[] };
  expect(interfaces.at(-1)).toEqual({ name, mac: before.mac, sandbox: pod.netns });
  expect(await pod.berth('DEL', macvtap())).toMatchObject(SUCCESS);
  expect(await pod.remains()).toEqual([]);
  expect(await identityOf(pod)).toEqual(before);
});

describe.each(['bridge', 'vepa', 'private'])('mode %s', (mode) => {
  it('takes MAC and addresses for the guest, also when repeated, and DEL gives them back', async () => {
    const pod = await node.addPod(mode, 'bridge, dual-stack');
    const before = await identityOf(pod);
    expect(before.addresses).toHaveLength(2);
    for (let time = 0; time < 2; time += 1) expect(await pod.berth('ADD', macvtap(mode))).toMatchObject(SUCCESS);
    const moved = await identityOf(pod);
    expect(moved).toMatchObject({ addresses: [], routes: [] });
    expect(await pod.tools.addresses('eth0')).toEqual([]);
    expect(moved.mac).not.toBe(before.mac);
    const record = await pod.record();
    const link = await pod.tools.link(recordedTap(record).name);
    expect(link).toMatchObject({ address: before.mac, linkinfo: { info_data: { mode } } });
    expect(record).toMatchObject({ gaveUp: { hadIpv6: true }, nic: { mac: before.mac } });
    expect(record?.nic?.addresses.map(({ address }) => address)).toEqual(before.addresses);
    expect(await pod.berth('DEL', macvtap(mode))).toMatchObject(SUCCESS);
    expect(await identityOf(pod)).toEqual(before);
    expect(await pod.remains()).toEqual([]);
  });
});

it('is deleted though the interface is down, where routes have no place', async () => {
  const pod = await node.addPod('taken-down', 'bridge, dual-stack');
  expect(await pod.berth('ADD', macvtap('bridge'))).toMatchObject(SUCCESS);
  const { nic } = (await pod.record()) ?? {};
  await pod.tools.ip('link', 'set', 'eth0', 'down');
  expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
  expect((await pod.tools.link('eth0'))?.address).toBe(nic?.mac);
  expect(await pod.remains()).toEqual([]);
});

it('leaves IPv6 off where it was off', async () => {
  const pod = await node.addPod('no-ipv6', 'bridge');
  const setting = '/proc/sys/net/ipv6/conf/eth0/disable_ipv6';
  await pod.run('sh', '-c', `echo 1 >${setting}`);
  const before = await identityOf(pod);
  expect(await pod.berth('ADD', macvtap('bridge'))).toMatchObject(SUCCESS);
  expect(await pod.record()).toMatchObject({ gaveUp: { hadIpv6: false } });
  expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
  expect(await identityOf(pod)).toEqual(before);
  expect(await pod.run('cat', setting)).toBe('1');
});

it('is wired otherwise by the next ADD, which takes the first wiring back', async () => {
  const pod = await node.addPod('changed');
  const before = await identityOf(pod);
  const kinds = async () => (await pod.tools.links()).map(({ linkinfo }) => linkinfo?.info_kind ?? 'none').sort();
  for (const [change, kind] of [
    [macvtap('bridge'), 'macvtap'],
    [{}, 'tun'],
    [macvtap(), 'macvtap'],
    [macvtap('private'), 'macvtap'],
  ] as const) {
    expect(await pod.berth('ADD', change)).toMatchObject(SUCCESS);
    expect(await kinds()).toEqual(['none', 'veth', kind].sort());
    expect((await pod.record())?.nic).toMatchObject({ mac: before.mac, addresses: [{ address: before.addresses[0] }] });
  }
  expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
  expect(await identityOf(pod)).toEqual(before);
  expect(await pod.remains()).toEqual([]);
});

it('gives everything back when ADD fails', async () => {
  const pod = await node.addPod('failing');
  const before = await identityOf(pod);
  const tap = `berth${(await pod.tools.link('eth0'))?.ifindex}`;
  await pod.tools.ip('link', 'add', tap, 'type', 'bridge');
  expect(await pod.berth('ADD', macvtap('bridge'))).toMatchObject({ exitCode: 1, answer: { code: 101 } });
  await pod.tools.ip('link', 'delete', tap);
  // A second macvtap beside one in passthru is refused by the kernel.
  await pod.tools.ip('link', 'add', 'foreign', 'link', 'eth0', 'type', 'macvtap', 'mode', 'passthru');
  for (const mode of ['bridge', 'passthru']) {
    const refused = await pod.berth('ADD', macvtap(mode));
    expect(refused).toMatchObject({
      exitCode: 1,
      answer: { msg: expect.stringContaining(`add macvtap ${tap} to eth0`) },
    });
    expect(await identityOf(pod)).toEqual(before);
    expect(await pod.remains()).toEqual([]);
  }
});

it('gives everything back when ADD fails that is repeated', async () => {
  const pod = await node.addPod('failing-again');
  const before = await identityOf(pod);
  const bandwidth = { ingressRate: 1e6, ingressBurst: 1e6 };
  const change = { config: { mode: 'macvtap', macvtapMode: 'bridge', runtimeConfig: { bandwidth } } };
  expect(await pod.berth('ADD', change)).toMatchObject(SUCCESS);
  const filters = ['filter', 'replace', 'dev', 'eth0', 'ingress', 'protocol', 'all', 'pref', '49153', 'u32'];
  const toLo = ['action', 'mirred', 'egress', 'redirect', 'dev', 'lo'];
  await pod.run('tc', 'filter', 'delete', 'dev', 'eth0', 'ingress');
  await pod.run('tc', ...filters, 'match', 'u8', '0', '0', ...toLo);
  expect(await pod.berth('ADD', change)).toMatchObject({ exitCode: 1, answer: { code: 101 } });
  expect(await identityOf(pod)).toEqual(before);
  expect(await pod.remains()).toEqual(['filter of priority 49153']);
});

it('of the fixed name that CNI_ARGS say, also of several queues', async () => {
  const pod = await node.addPod('named');
  const change = { config: { mode: 'macvtap', queues: 4 }, env: { CNI_ARGS: 'TC_REDIRECT_TAP_NAME=tap7' } };
  for (let time = 0; time < 2; time += 1) expect(await pod.berth('ADD', change)).toMatchObject(SUCCESS);
  expect(await pod.record()).toMatchObject({ device: { kind: 'macvtap', name: 'tap7', queues: 4 } });
  expect((await pod.tools.links()).map(({ ifname }) => ifname).sort()).toEqual(['eth0', 'lo', 'tap7']);
  expect(await pod.berth('DEL', { config: { prevResult: undefined } })).toMatchObject(SUCCESS);
  expect(await pod.remains()).toEqual([]);
  expect(await pod.tools.link('tap7')).toBeUndefined();
});

it('is not taken from a VMM that has it open', async () => {
  const pod = await node.addPod('claimed');
  await pod.berth('ADD', macvtap('bridge'));
  const { name } = recordedTap(await pod.record());
  const before = await identityOf(pod);
  const holder = await claimMacvtap(pod.prefix, name);
  const refused = { exitCode: 1, answer: { code: 11, msg: expect.stringContaining(`a VMM has ${name} open`) } };
  try {
    for (const change of [{}, macvtap(), macvtap('vepa')])
      expect(await pod.berth('ADD', change)).toMatchObject(refused);
    expect(await pod.berth('ADD', macvtap('bridge'))).toMatchObject(SUCCESS);
    expect(await pod.berth('DEL')).toMatchObject(refused);
    expect(await identityOf(pod)).toEqual(before);
    expect(await pod.record()).toMatchObject({ state: 'ready', device: { mode: 'bridge' } });
  } finally {
    await holder.release();
  }
  expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
  expect(await pod.remains()).toEqual([]);
});

it('says of two namespaces with equal indexes where each device is', async () => {
  const pods = [await node.addPod('twin-1'), await node.addPod('twin-2')];
  const records = [];
  for (const pod of pods) {
    expect(await pod.berth('ADD', macvtap())).toMatchObject(SUCCESS);
    records.push(await pod.record());
  }
  const [one, other] = records;
  expect(one?.ifIndex).toBe(other?.ifIndex);
  expect(recordedTap(one).name).toBe(recordedTap(other).name);
  expect(one?.netnsId).not.toBe(other?.netnsId);
  expect(one?.nic?.mac).not.toBe(other?.nic?.mac);
  for (const pod of pods) expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
});
