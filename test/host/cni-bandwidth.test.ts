import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CniNode, type CniPod, createCniNode, recordedTap } from '../support/cni-node.ts';

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
const BANDWIDTH = { ingressRate: 20e6, ingressBurst: 8e6, egressRate: 4e6, egressBurst: 1e6 };
const limited = (bandwidth: object = BANDWIDTH, config: object = {}) => ({
  config: { capabilities: { bandwidth: true }, runtimeConfig: { bandwidth }, ...config },
});

/** Root qdiscs that hold traffic back, as tc(8) says them. */
async function limitsOf(pod: CniPod): Promise<Record<string, string>> {
  const lines = (await pod.run('tc', 'qdisc', 'show')).split('\n');
  const found = lines.flatMap((line) => {
    const [, device, limit] = /^qdisc tbf be72: dev (\S+) root refcnt \d+ (.*?) lat/.exec(line) ?? [];
    return device === undefined || limit === undefined ? [] : [[device, limit]];
  });
  return Object.fromEntries(found);
}

const TO_POD = 'rate 20Mbit burst 1000000b';
const FROM_POD = 'rate 4Mbit burst 125000b';

const bucketOn = (device: string): string[] =>
  `qdisc add dev ${device} root tbf rate 1mbit burst 32kb latency 25ms`.split(' ');

/** The node's end of the pod's veth. */
async function peerOf(pod: CniPod): Promise<string> {
  const [eth0] = JSON.parse(await pod.run('ip', '-json', 'link', 'show', 'eth0'));
  const peer = (await node.tools.links()).find(({ ifindex }) => ifindex === eth0.link_index);
  return peer?.ifname ?? '';
}

describe('bandwidth', () => {
  it('is limited on the TAP and on the interface, also when repeated; DEL takes it back', async () => {
    const pod = await node.addPod('tc');
    for (let time = 0; time < 2; time += 1) expect(await pod.berth('ADD', limited())).toMatchObject(SUCCESS);
    const record = await pod.record();
    expect(await limitsOf(pod)).toEqual({ [recordedTap(record).name]: TO_POD, eth0: FROM_POD });
    expect(record?.bandwidth).toEqual(BANDWIDTH);
    expect(await pod.berth('DEL', limited())).toMatchObject(SUCCESS);
    expect(await limitsOf(pod)).toEqual({});
    expect(await pod.remains()).toEqual([]);
    expect((await pod.tools.qdiscs('eth0')).map(({ kind }) => kind)).toEqual(['noqueue']);
  });

  it('is limited on an ifb and on the interface where there is a macvtap', async () => {
    const pod = await node.addPod('macvtap');
    const change = limited(BANDWIDTH, { mode: 'macvtap' });
    for (let time = 0; time < 2; time += 1) expect(await pod.berth('ADD', change)).toMatchObject(SUCCESS);
    const { name } = recordedTap(await pod.record());
    expect(await limitsOf(pod)).toEqual({ [`${name}-in`]: TO_POD, eth0: FROM_POD });
    const [filter, ...more] = await pod.tools.ingressFilters('eth0');
    expect(more).toEqual([]);
    expect(filter?.options.actions).toMatchObject([{ mirred_action: 'redirect', to_dev: `${name}-in` }]);
    expect(await pod.berth('DEL', change)).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
    expect((await pod.tools.qdiscs('eth0')).map(({ kind }) => kind)).toEqual(['noqueue']);
  });

  it('may be limited one way alone', async () => {
    const pod = await node.addPod('one-way');
    const none = { ...BANDWIDTH, ingressRate: 0, ingressBurst: 0 };
    await pod.berth('ADD', limited(none));
    expect(await limitsOf(pod)).toEqual({ eth0: FROM_POD });
    await pod.berth('ADD', limited({ ...none, ...BANDWIDTH, egressRate: 0, egressBurst: 0 }));
    expect(await limitsOf(pod)).toEqual({ [recordedTap(await pod.record()).name]: TO_POD });
    await pod.berth('ADD');
    expect(await limitsOf(pod)).toEqual({});
    await pod.berth('DEL');
    expect(await pod.remains()).toEqual([]);
  });

  it('is taken off by a DEL that has no record', async () => {
    const pod = await node.addPod('no-record');
    await pod.berth('ADD', limited());
    await node.run('rm', `/run/berth/networks/net:no-record:eth0.json`);
    expect(await pod.berth('DEL', { config: { prevResult: undefined } })).toMatchObject(SUCCESS);
    expect(await limitsOf(pod)).toEqual({});
    expect(await pod.remains()).toEqual([]);
  });

  it('is left to an earlier plugin, known by a bucket on the other end of the veth', async () => {
    const pod = await node.addPod('peer');
    await node.run('tc', ...bucketOn(await peerOf(pod)));
    const { exitCode, stderr } = await pod.berth('ADD', limited());
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('bandwidth is limited'),
    });
    expect(await limitsOf(pod)).toEqual({});
    expect((await pod.record())?.bandwidth).toMatchObject({
      ...BANDWIDTH,
      leftTo: expect.stringMatching(/the tbf qdisc of veth\w+, the other end/),
    });
    await pod.berth('DEL');
    expect(await pod.remains()).toEqual([]);
  });

  it('is limited towards the pod alone where somebody limits what leaves its interface', async () => {
    const pod = await node.addPod('limited');
    await pod.run('tc', ...bucketOn('eth0'));
    const { stderr, exitCode } = await pod.berth('ADD', limited());
    expect(exitCode).toBe(0);
    expect(JSON.parse(stderr)).toMatchObject({ by: "the tbf qdisc of the pod's interface", ways: 'egress' });
    expect(await limitsOf(pod)).toEqual({ [recordedTap(await pod.record()).name]: TO_POD });
    expect(await pod.berth('CHECK', limited())).toMatchObject(SUCCESS);
    expect(await pod.berth('DEL', limited())).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
    expect((await pod.tools.qdiscs('eth0')).map(({ kind }) => kind)).toEqual(['tbf']);
  });

  it('is refused, not forgotten, where a queue that limits nothing has its place; an earlier ADD stays', async () => {
    const pod = await node.addPod('pfifo');
    const foreign = 'dev eth0 root pfifo'.split(' ');
    const refused = { exitCode: 1, answer: { code: 101, msg: expect.stringContaining('tc qdisc del dev eth0 root') } };
    await pod.run('tc', 'qdisc', 'add', ...foreign);
    expect(await pod.berth('ADD', limited())).toMatchObject(refused);
    expect(await pod.remains()).toEqual([]);
    expect(await pod.berth('ADD', limited({ ...BANDWIDTH, egressRate: 0, egressBurst: 0 }))).toMatchObject(SUCCESS);
    await pod.run('tc', 'qdisc', 'delete', 'dev', 'eth0', 'root');
    expect(await pod.berth('ADD', limited())).toMatchObject(SUCCESS);
    const { name } = recordedTap(await pod.record());
    await pod.run('tc', 'qdisc', 'replace', ...foreign);
    expect(await pod.berth('ADD', limited())).toMatchObject(refused);
    expect(await limitsOf(pod)).toEqual({ [name]: TO_POD });
    expect(await pod.berth('DEL', limited())).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
    expect((await pod.tools.qdiscs('eth0')).map(({ kind }) => kind)).toEqual(['pfifo']);
  });
});

it('leaves no TAP to a qdisc that reads time stamps, where the node gives one to new interfaces', async () => {
  const pod = await node.addPod('fq');
  // The kernel shows it in its first network namespace alone.
  const settings = '/proc/sys/net/core';
  await node.run('sh', '-c', `mount -t tmpfs none ${settings} && echo fq >${settings}/default_qdisc`);
  try {
    expect(await pod.berth('ADD')).toMatchObject(SUCCESS);
    const { name } = recordedTap(await pod.record());
    const [root] = await pod.tools.qdiscs(name);
    expect(root).toMatchObject({ kind: 'pfifo', handle: 'be72:' });
    await pod.berth('DEL');
  } finally {
    await node.run('umount', settings);
  }
});
