import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CniNode, type CniPod, createCniNode, type MainPlugin } from '../support/cni-node.ts';
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
