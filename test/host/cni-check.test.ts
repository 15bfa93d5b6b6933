import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkAttachmentRecord } from '../../proto/network-attachment.ts';
import { type CniNode, type CniPod, createCniNode, type MainPlugin, recordedTap } from '../support/cni-node.ts';
import { holdTap } from '../support/tap-holder.ts';

let node: CniNode;
beforeAll(async () => {
  node = await createCniNode();
});
afterAll(async () => {
  const left = await node.records();
  await node.close();
  expect(left).toEqual([]);
});

type Config = Readonly<Record<string, unknown>>;

const SUCCESS = { exitCode: 0, stdout: '' };
const BANDWIDTH = { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 8_000_000, egressBurst: 800_000 };

/** A pod that is wired, and CHECK of it as libcni calls it: with the result of the whole chain. */
async function wire(name: string, config: Config = {}, plugin: MainPlugin = 'ptp') {
  const pod = await node.addPod(name, plugin);
  const { exitCode, answer } = await pod.berth('ADD', { config });
  expect(exitCode).toBe(0);
  const change = { config: { ...config, prevResult: answer } };
  return { pod, tap: recordedTap(await pod.record()).name, check: () => pod.berth('CHECK', change), config };
}
type Wired = Awaited<ReturnType<typeof wire>>;

const tc = (pod: CniPod, ...args: string[]) => pod.run('tc', ...args);
const deleteFilter = (pod: CniPod, device: string) =>
  tc(pod, 'filter', 'delete', 'dev', device, 'ingress', 'pref', '49153');
const redirect = (pod: CniPod, from: string, to: string) =>
  tc(
    pod,
    ...['filter', 'add', 'dev', from, 'ingress', 'protocol', 'all', 'pref', '49153'],
    ...['u32', 'match', 'u8', '0', '0', 'action', 'mirred', 'egress', 'redirect', 'dev', to],
  );

async function changeRecord(pod: CniPod, change: object): Promise<void> {
  const path = `${node.world.root}${node.world.runDirectory}/networks/net:${pod.name}:eth0.json`;
  const record = networkAttachmentRecord.decode(await readFile(path, 'utf8'), path);
  await writeFile(path, networkAttachmentRecord.encode({ ...record, ...change }));
}

describe('CHECK is success', () => {
  it.each<[string, Config]>([
    ['after ADD', {}],
    ['with two queues', { queues: 2 }],
    ['of a macvtap', { mode: 'macvtap' }],
    ['of a macvtap that took MAC and addresses', { mode: 'macvtap', macvtapMode: 'bridge' }],
    ['with limits', { runtimeConfig: { bandwidth: BANDWIDTH } }],
    ['of a macvtap with limits', { mode: 'macvtap', runtimeConfig: { bandwidth: BANDWIDTH } }],
    ['in the dialect of firecracker-go-sdk', { dialect: 'tc-redirect-tap', allIps: true }],
    ['with stock Kata', { kataDanDir: '/run/dans' }],
    ['in 0.4.0', { cniVersion: '0.4.0' }],
  ])('%s, and changes nothing', async (what, config) => {
    const { pod, check } = await wire(`well-${what.replaceAll(/\W+/g, '-')}`, config, 'ptp, dual-stack');
    const before = [await pod.record(), await pod.remains()];
    expect(await check()).toMatchObject(SUCCESS);
    expect([await pod.record(), await pod.remains()]).toEqual(before);
    await pod.berth('DEL', { config });
  });

  it('with what others have added', async () => {
    const { pod, check } = await wire('added');
    await pod.tools.ip('address', 'add', '10.77.0.1/24', 'dev', 'eth0');
    await pod.tools.ip('link', 'add', 'other0', 'type', 'bridge');
    await tc(
      pod,
      'filter',
      'add',
      'dev',
      'eth0',
      'ingress',
      'protocol',
      'ip',
      'pref',
      '7',
      'u32',
      'match',
      'u8',
      '0',
      '0',
    );
    expect(await check()).toMatchObject(SUCCESS);
    await pod.berth('DEL');
  });

  it('with a VMM and without one, which is only told', async () => {
    const { pod, tap } = await wire('vmm');
    const told = async () => (await pod.berth('CHECK', { config: { logLevel: 'info' } })).stderr;
    expect(await told()).toContain('no VMM has the device open');
    const holder = await holdTap(pod.prefix, tap, 1);
    try {
      expect(await told()).toBe('');
    } finally {
      await holder.release();
    }
    await pod.berth('DEL');
  });

  it('of a pod that is no VM, wired or not', async () => {
    const pod = await node.addPod('no-vm');
    const runtimeConfig = { 'io.kubernetes.cri.pod-annotations': null };
    const config = { when: { annotation: 'vm' }, runtimeConfig };
    expect(await pod.berth('CHECK', { config })).toMatchObject(SUCCESS);
  });
});

/** What it is damaged by, and what CHECK says then. */
const DAMAGES: Readonly<Record<string, [config: Config, damage: (wired: Wired) => Promise<unknown>, msg: string]>> = {
  'no TAP': [
    {},
    ({ pod, tap }) => pod.tools.ip('link', 'delete', tap),
    'is gone; packets of eth0 are redirected to no device',
  ],
  'no interface': [{}, ({ pod }) => pod.tools.ip('link', 'delete', 'eth0'), 'eth0 is gone'],
  'the TAP down': [{}, ({ pod, tap }) => pod.tools.ip('link', 'set', tap, 'down'), 'is down'],
  'the interface down': [{}, ({ pod }) => pod.tools.ip('link', 'set', 'eth0', 'down'), 'eth0 is down'],
  'another MTU': [
    {},
    ({ pod }) => pod.tools.ip('link', 'set', 'eth0', 'mtu', '1300'),
    'MTU 1300, but the guest was told 1400',
  ],
  'another MTU of the TAP': [
    {},
    ({ pod, tap }) => pod.tools.ip('link', 'set', tap, 'mtu', '1300'),
    'has MTU 1300, but eth0 has 1400',
  ],
  'another MAC': [
    {},
    ({ pod }) => pod.tools.ip('link', 'set', 'eth0', 'address', '02:00:00:00:00:77'),
    'eth0 has the MAC 02:00:00:00:00:77, but the guest was told',
  ],
  'another mark': [
    {},
    ({ pod, tap }) => pod.tools.ip('link', 'set', tap, 'alias', 'mine'),
    'bears the mark "mine" in place of "berth:net:',
  ],
  'no address': [
    {},
    ({ pod }) => pod.tools.ip('-4', 'address', 'flush', 'dev', 'eth0'),
    'eth0 has no address 10.88.0.',
  ],
  'no redirect to the guest': [
    {},
    ({ pod }) => deleteFilter(pod, 'eth0'),
    'packets of eth0 are not redirected to berth',
  ],
  'no redirect from the guest': [{}, ({ pod, tap }) => deleteFilter(pod, tap), 'are not redirected to eth0'],
  'a redirect twice': [{}, ({ pod, tap }) => redirect(pod, 'eth0', tap), 'the redirect of eth0 is there 2 times'],
  'a redirect elsewhere': [
    {},
    ({ pod }) => redirect(pod, 'eth0', 'lo'),
    'packets of eth0 are redirected to another interface',
  ],
  "another's filter in its place": [
    {},
    async ({ pod }) => {
      await deleteFilter(pod, 'eth0');
      const filter = ['filter', 'add', 'dev', 'eth0', 'ingress', 'protocol', 'all', 'pref', '49153'];
      await tc(pod, ...filter, 'bpf', 'direct-action', 'bytecode', '1,6 0 0 4294967295');
    },
    "a bpf filter of others is in the redirect's place on eth0",
  ],
  'a TAP of several queues': [
    {},
    async ({ pod, tap }) => {
      await deleteFilter(pod, tap);
      await pod.tools.ip('link', 'delete', tap);
      await pod.tools.ip('tuntap', 'add', 'dev', tap, 'mode', 'tap', 'vnet_hdr', 'multi_queue');
    },
    'was made for several queues',
  ],
  'no limit of what it sends': [
    { runtimeConfig: { bandwidth: BANDWIDTH } },
    ({ pod }) => tc(pod, 'qdisc', 'delete', 'dev', 'eth0', 'root'),
    'the limit of what leaves by eth0 is gone',
  ],
  'no limit of what it receives': [
    { runtimeConfig: { bandwidth: BANDWIDTH } },
    ({ pod, tap }) => tc(pod, 'qdisc', 'delete', 'dev', tap, 'root'),
    'the limit of what the guest receives is gone',
  ],
  'no macvtap': [{ mode: 'macvtap' }, ({ pod, tap }) => pod.tools.ip('link', 'delete', tap), 'macvtap berth'],
  'another mode': [
    { mode: 'macvtap', macvtapMode: 'bridge' },
    ({ pod, tap }) => pod.tools.ip('link', 'set', tap, 'type', 'macvtap', 'mode', 'private'),
    'is not in mode bridge',
  ],
  'no ifb': [
    { mode: 'macvtap', runtimeConfig: { bandwidth: BANDWIDTH } },
    ({ pod, tap }) => pod.tools.ip('link', 'delete', `${tap}-in`),
    'the limit of what the guest receives is gone',
  ],
  'nothing said to Kata': [
    { kataDanDir: '/run/dans' },
    ({ pod }) => node.run('rm', `/run/dans/${pod.name}.json`),
    'has no eth0',
  ],
  'a record of another boot': [{}, ({ pod }) => changeRecord(pod, { bootId: 'before' }), 'of a former boot'],
};

describe('CHECK fails with 102', () => {
  it.each(Object.keys(DAMAGES))('with %s', async (what) => {
    const [config, damage, msg] = DAMAGES[what] ?? [{}, async () => {}, ''];
    const wired = await wire(`bad-${what.replaceAll(/\W+/g, '-')}`, config);
    await damage(wired);
    const expected = { exitCode: 1, answer: { code: 102, msg: expect.stringContaining(msg) } };
    expect(await wired.check()).toMatchObject(expected);
    expect(await wired.pod.berth('DEL', { config })).toMatchObject(SUCCESS);
  });
});

describe('CHECK fails otherwise', () => {
  it.each<[string, number, string, (pod: CniPod) => Promise<unknown>]>([
    ['without a record', 100, 'there is no record', (pod) => pod.berth('DEL')],
    ['with one that cannot be read', 6, 'is not JSON', (pod) => writeFile(recordPath(pod), '{')],
    ['while ADD is at work', 11, 'ADD of net:', (pod) => changeRecord(pod, { state: 'wiring' })],
    [
      'in another namespace',
      4,
      'not the network namespace that ADD wired',
      (pod) => changeRecord(pod, { netnsId: '4:1' }),
    ],
    ['without the namespace', 4, 'not the network namespace that ADD wired', (pod) => node.removeNetns(pod)],
  ])('%s', async (what, code, msg, damage) => {
    const { pod, check } = await wire(`other-${what.replaceAll(/\W+/g, '-')}`);
    await damage(pod);
    expect(await check()).toMatchObject({ exitCode: 1, answer: { code, msg: expect.stringContaining(msg) } });
    await pod.berth('DEL');
    await rm(recordPath(pod), { force: true });
  });

  it('without prevResult, before 0.4.0, and without CNI_NETNS', async () => {
    const pod = await node.addPod('asked');
    expect(await pod.berth('CHECK', { config: { prevResult: undefined } })).toMatchObject({ answer: { code: 7 } });
    expect(await pod.berth('CHECK', { config: { cniVersion: '0.3.1' } })).toMatchObject({ answer: { code: 1 } });
    expect(await pod.berth('CHECK', { env: { CNI_NETNS: undefined } })).toMatchObject({ answer: { code: 4 } });
  });
});

const recordPath = (pod: CniPod): string =>
  `${node.world.root}${node.world.runDirectory}/networks/net:${pod.name}:eth0.json`;
