import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CniNode, type CniPod, createCniNode, type MainPlugin, recordedTap } from '../support/cni-node.ts';
import { needGoTool } from '../support/go-tool.ts';

let node: CniNode;
beforeAll(async () => {
  node = await createCniNode();
});
afterAll(async () => {
  const left = await node.records();
  await node.close();
  expect(left).toEqual([]);
});

interface Result {
  readonly interfaces: readonly Readonly<Record<string, unknown>>[];
  readonly ips: readonly { readonly address: string; readonly gateway?: string }[];
}

const resultOf = (answer: unknown) => answer as Result;
const ipv4Of = (pod: CniPod) => resultOf(pod.prevResult).ips.find(({ address }) => !address.includes(':'));

/** What firecracker-go-sdk makes of a result. */
async function parse(program: string, pod: CniPod, answer: unknown) {
  const [file = '', ...prefix] = node.world.prefix;
  const input = JSON.stringify(answer);
  const { stdout, stderr, failed } = await execa(file, [...prefix, program, pod.name], { input, reject: false });
  return failed ? { refusal: stderr } : { conf: JSON.parse(stdout) as Record<string, unknown> };
}

describe('dialect tc-redirect-tap', () => {
  it.for<MainPlugin>(['ptp', 'bridge', 'ptp, dual-stack', 'bridge, dual-stack'])(
    'is what firecracker-go-sdk reads, after %s',
    async (plugin, context) => {
      const program = await needGoTool('vmconf-parse', context);
      const pod = await node.addPod(`sdk-${plugin.replaceAll(/\W+/g, '-')}`, plugin);
      const eth0 = await pod.tools.link('eth0');
      const config = { dialect: 'tc-redirect-tap' };
      for (const cniVersion of ['0.4.0', '1.0.0']) {
        const { answer } = await pod.berth('ADD', { config: { ...config, cniVersion } });
        const { conf, refusal } = await parse(program, pod, answer);
        expect(refusal).toBeUndefined();
        expect(conf).toMatchObject({
          TapName: `berth${eth0?.ifindex}`,
          NetNSPath: pod.netns,
          VMMacAddr: eth0?.address,
          VMMTU: eth0?.mtu,
          VMIPConfig: { address: ipv4Of(pod)?.address, gateway: ipv4Of(pod)?.gateway },
          IPBootParam: expect.stringMatching(/^10\.88\.\d+\.\d+::10\.88\.\d+\.1:255\.\d+\.\d+\.\d+::/),
        });
      }
      await pod.berth('DEL', { config });
      expect(await pod.remains()).toEqual([]);
    },
  );

  it('gives all addresses where that is asked for', async () => {
    const pod = await node.addPod('all', 'ptp, dual-stack');
    const { ips } = resultOf(pod.prevResult);
    const { answer } = await pod.berth('ADD', { config: { dialect: 'tc-redirect-tap', allIps: true } });
    const found = resultOf(answer);
    expect(found.interfaces.at(-1)).toMatchObject({ sandbox: 'all', name: found.interfaces.at(-2)?.['name'] });
    expect(found.ips.slice(ips.length).map(({ address }) => address)).toEqual(ips.map(({ address }) => address));
    await pod.berth('DEL');
  });

  it('is spoken under the name tc-redirect-tap, whose CNI_ARGS are known', async () => {
    const pod = await node.addPod('named');
    const env = { CNI_ARGS: 'TC_REDIRECT_TAP_NAME=fc0;TC_REDIRECT_TAP_UID=54321;TC_REDIRECT_TAP_GID=54322' };
    const { answer } = await pod.berth('ADD', { config: { type: 'tc-redirect-tap' }, env });
    expect(resultOf(answer).interfaces.slice(-2)).toMatchObject([
      { name: 'fc0', sandbox: pod.netns },
      { name: 'fc0', sandbox: 'named' },
    ]);
    expect(recordedTap(await pod.record()).name).toBe('fc0');
    expect((await pod.tools.link('fc0'))?.linkinfo).toMatchObject({ info_data: { user: 54321, group: 54322 } });
    await pod.berth('DEL', { config: { type: 'tc-redirect-tap', prevResult: undefined } });
    expect(await pod.remains()).toEqual([]);
    expect(await pod.tools.link('fc0')).toBeUndefined();
  });

  it('has a TAP though the plugins before report a device that other VMMs could take', async () => {
    const pod = await node.addPod('reported');
    const { interfaces, ...rest } = resultOf(pod.prevResult);
    const reported = interfaces.map((each) => (each['name'] === 'eth0' ? { ...each, pciID: '0000:00:1f.6' } : each));
    const prevResult = { ...rest, interfaces: reported };
    const { answer } = await pod.berth('ADD', { config: { dialect: 'tc-redirect-tap', prevResult } });
    const { name } = recordedTap(await pod.record());
    expect(resultOf(answer).interfaces.slice(-2)).toMatchObject([
      { name, sandbox: pod.netns },
      { name, sandbox: 'reported' },
    ]);
    await pod.berth('DEL');
    expect(await pod.remains()).toEqual([]);
  });

  it('refuses a pod without IPv4 and leaves nothing', async () => {
    const pod = await node.addPod('six', 'ptp, dual-stack');
    const prevResult = { ...(pod.prevResult as object), ips: [{ address: 'fd00:88::2/64' }] };
    const config = { dialect: 'tc-redirect-tap', prevResult };
    expect(await pod.berth('ADD', { config })).toMatchObject({
      exitCode: 1,
      answer: { code: 7, msg: expect.stringContaining('eth0 has no IPv4 address') },
    });
    expect(await pod.remains()).toEqual([]);
  });
});

describe('what Kata is told', () => {
  const config = { kataDanDir: '/run/kata-containers/dans' };
  const path = (pod: CniPod) => `${config.kataDanDir}/${pod.name}.json`;
  const read = async (pod: CniPod) => JSON.parse(await node.run('cat', path(pod)));

  it('is the TAP with all that is the pod interface, and no more after DEL', async () => {
    const pod = await node.addPod('kata', 'bridge, dual-stack');
    expect(await pod.berth('ADD', { config: { ...config, queues: 2 } })).toMatchObject({ exitCode: 0 });
    const record = await pod.record();
    const eth0 = await pod.tools.link('eth0');
    const addresses = resultOf(pod.prevResult).ips.map(({ address }) => address);
    const { netns, devices } = await read(pod);
    expect(netns).toBe(pod.netns);
    expect(devices).toMatchObject([
      {
        name: 'eth0',
        guest_mac: eth0?.address,
        device: { type: 'host-tap', tap_name: recordedTap(record).name, queue_num: 2, queue_size: 256 },
        network_info: { interface: { ip_addresses: addresses, mtu: eth0?.mtu } },
      },
    ]);
    expect(devices[0].network_info.routes).toContainEqual(
      expect.objectContaining({ dest: '', gateway: ipv4Of(pod)?.gateway }),
    );
    expect(await pod.berth('ADD', { config: { ...config, queues: 2 } })).toMatchObject({ exitCode: 0 });
    expect((await read(pod)).devices).toHaveLength(1);
    // The record knows of it, whatever the configuration has become.
    expect(await pod.berth('DEL')).toMatchObject({ exitCode: 0 });
    expect(await node.run('ls', config.kataDanDir)).toBe('');
    expect(await pod.remains()).toEqual([]);
  });

  it('is one file for two interfaces', async () => {
    const pod = await node.addPod('two');
    await pod.run('ip', 'link', 'add', 'net1', 'type', 'veth', 'peer', 'name', 'peer1');
    for (const link of ['net1', 'peer1']) await pod.tools.ip('link', 'set', link, 'up');
    await pod.tools.ip('address', 'add', '10.99.0.2/24', 'dev', 'net1');
    const env = { CNI_IFNAME: 'net1' };
    for (const change of [{ config }, { config, env }]) {
      expect(await pod.berth('ADD', change)).toMatchObject({ exitCode: 0 });
    }
    const names = async () => (await read(pod)).devices.map(({ name }: { readonly name: string }) => name);
    expect(await names()).toEqual(['eth0', 'net1']);
    await pod.berth('DEL', { config });
    expect(await names()).toEqual(['net1']);
    await pod.berth('DEL', { config, env });
    expect(await node.run('ls', config.kataDanDir)).toBe('');
  });

  it('is taken back where ADD fails, and goes by the configuration where the record is gone', async () => {
    const pod = await node.addPod('unsaid');
    await node.run('sh', '-c', `mkdir -p ${config.kataDanDir} && echo '{' >${path(pod)}`);
    expect(await pod.berth('ADD', { config })).toMatchObject({ exitCode: 1, answer: { code: 6 } });
    expect(await pod.remains()).toEqual([]);
    expect(await node.run('ls', config.kataDanDir)).toBe('');
    await pod.berth('ADD', { config });
    await node.run('sh', '-c', 'rm /run/berth/networks/*');
    await pod.berth('DEL', { config });
    expect(await node.run('ls', config.kataDanDir)).toBe('');
  });
});
