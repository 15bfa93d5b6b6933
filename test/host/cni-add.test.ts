import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Link, Route } from '../../runtime/system/node/iproute2.ts';
import {
  type CniNode,
  type CniPod,
  createCniNode,
  MAIN_PLUGINS,
  type MainPlugin,
  recordedTap,
} from '../support/cni-node.ts';

let node: CniNode;
beforeAll(async () => {
  node = await createCniNode();
});
afterAll(async () => {
  const left = await node.records();
  await node.close();
  expect(left).toEqual([]);
});

const isLinkLocal = (text: string): boolean => text.startsWith('fe80:');
const isDefault = ({ dst }: Route): boolean => dst === 'default';

/** What stays; flags follow the carrier, which veth pairs report late. */
const identityOf = (link: Link | undefined) => [link?.ifindex, link?.ifname, link?.address, link?.mtu];

/** iproute2's words for a route's destination, in the record's. */
const toDestination = (route: Route): string => {
  const isIpv6 = `${route.dst}${route.gateway ?? ''}`.includes(':');
  if (isDefault(route)) return isIpv6 ? '::/0' : '0.0.0.0/0';
  if (route.dst.includes('/')) return route.dst;
  return `${route.dst}/${isIpv6 ? 128 : 32}`;
};

async function expectWired(pod: CniPod, tap: string): Promise<void> {
  const wired = (target: string) => [
    { kind: 'mirred', mirred_action: 'redirect', direction: 'egress', to_dev: target },
  ];
  for (const [from, to] of [
    ['eth0', tap],
    [tap, 'eth0'],
  ] as const) {
    expect((await pod.tools.qdiscs(from)).filter(({ kind }) => kind === 'ingress')).toHaveLength(1);
    const filters = await pod.tools.ingressFilters(from);
    expect(filters).toEqual([{ protocol: 'all', pref: 49153, kind: 'u32', options: { actions: wired(to) } }]);
  }
}

/** Packets that a filter on an interface's ingress has taken. */
async function packetsTaken(pod: CniPod, device: string): Promise<number> {
  const text = await pod.run('tc', '-statistics', 'filter', 'show', 'dev', device, 'ingress');
  return Number(/Sent \d+ bytes (\d+) pkt/.exec(text)?.[1] ?? 0);
}

describe.each(Object.keys(MAIN_PLUGINS) as MainPlugin[])('ADD after %s', (plugin) => {
  const name = plugin.replaceAll(/\W+/g, '-');

  it('wires eth0 to a TAP and tells the guest all about it, also when repeated; DEL takes it back', async () => {
    const pod = await node.addPod(name, plugin);
    const before = { link: await pod.tools.link('eth0'), addresses: await pod.tools.addresses('eth0') };
    const tapName = `berth${before.link?.ifindex}`;
    const first = await pod.berth('ADD');
    expect(first).toMatchObject({ exitCode: 0 });
    const second = await pod.berth('ADD');
    expect(second).toEqual(first);

    const tap = await pod.tools.link(tapName);
    expect(tap).toMatchObject({ mtu: before.link?.mtu, ifalias: `berth:net:${name}:eth0` });
    expect(tap?.flags).toContain('UP');
    expect(tap?.linkinfo).toMatchObject({
      info_kind: 'tun',
      info_data: { type: 'tap', pi: false, vnet_hdr: true, persist: true },
    });
    expect(await pod.tools.addresses(tapName)).toEqual([]);
    expect((await pod.tools.links()).map(({ ifname }) => ifname).sort()).toEqual([tapName, 'eth0', 'lo']);
    await expectWired(pod, tapName);
    expect(identityOf(await pod.tools.link('eth0'))).toEqual(identityOf(before.link));
    expect(await pod.tools.addresses('eth0')).toEqual(before.addresses);

    const { interfaces, ...rest } = pod.prevResult as { interfaces: object[] };
    expect(first.answer).toEqual({
      ...rest,
      cniVersion: '1.0.0',
      interfaces: [...interfaces, { name: tapName, mac: tap?.address, sandbox: pod.netns }],
    });

    const record = await pod.record();
    const addresses = before.addresses.filter(({ local }) => !isLinkLocal(local));
    expect(record).toMatchObject({
      state: 'ready',
      device: { kind: 'tap', name: tapName, ifIndex: tap?.ifindex, queues: 1 },
      ownsIngress: true,
    });
    expect(record?.nic).toMatchObject({ mac: before.link?.address, mtu: before.link?.mtu });
    expect(record?.nic?.addresses.map(({ address }) => address)).toEqual(
      addresses.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    );
    const routes = (await pod.tools.routes('eth0')).filter(({ table, dst }) => table === 'main' && !isLinkLocal(dst));
    expect(routes.some(isDefault)).toBe(true);
    expect(record?.nic?.routes.map((route) => `${route.destination} ${route.gateway} ${route.source}`).sort()).toEqual(
      routes.map((route) => `${toDestination(route)} ${route.gateway} ${route.prefsrc}`).sort(),
    );

    expect(await pod.berth('DEL')).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await pod.remains()).toEqual([]);
    expect((await pod.tools.qdiscs('eth0')).map(({ kind }) => kind)).not.toContain('ingress');
    expect(await pod.berth('DEL')).toMatchObject({ exitCode: 0, stdout: '' });
  });

  it('takes packets away from the host, and DEL gives them back', async () => {
    const pod = await node.addPod(`${name}-packets`, plugin);
    const address = (await pod.tools.addresses('eth0')).find(({ family }) => family === 'inet')?.local ?? '';
    const knock = async (): Promise<readonly string[]> => {
      // The kernel asks for the address before it can send anything: whoever has it must answer.
      await node.run(
        'bash',
        '-c',
        `echo knock >/dev/udp/${address}/9; ip neighbour flush to ${address}; echo knock >/dev/udp/${address}/9`,
      );
      const [entry] = JSON.parse(await node.run('ip', '-json', 'neighbour', 'show', 'to', address));
      return entry?.state ?? [];
    };
    await pod.berth('ADD');
    const taken = await packetsTaken(pod, 'eth0');
    expect(await knock()).not.toContain('REACHABLE');
    expect(await packetsTaken(pod, 'eth0')).toBeGreaterThan(taken);
    await pod.berth('DEL');
    expect(await knock()).toContain('REACHABLE');
  });
});

describe('ADD', () => {
  it.each([
    ['0.3.0', false],
    ['0.3.1', false],
    ['0.4.0', false],
    ['1.0.0', false],
    ['1.1.0', true],
  ])('answers in version %s', async (cniVersion, hasMtu) => {
    const pod = await node.addPod(`version-${cniVersion}`);
    const { answer } = await pod.berth('ADD', { config: { cniVersion } });
    const { interfaces, ...rest } = answer as { interfaces: object[] };
    expect(rest).toMatchObject({ cniVersion });
    expect('mtu' in (interfaces.at(-1) ?? {})).toBe(hasMtu);
    await pod.berth('DEL', { config: { cniVersion } });
    expect(await pod.remains()).toEqual([]);
  });

  it('mirrors static neighbours, onlink gateways and source, metric, MTU and table of routes', async () => {
    const pod = await node.addPod('calico');
    const { ip } = pod.tools;
    const mac = 'ee:ee:ee:ee:ee:ee';
    const mtuRoute = ['10.9.0.0/16', 'via', '169.254.1.1', 'dev', 'eth0', 'onlink', 'metric', '50', 'mtu', '1300'];
    await ip('neighbour', 'add', '169.254.1.1', 'lladdr', mac, 'dev', 'eth0', 'nud', 'permanent');
    await ip('route', 'add', ...mtuRoute);
    await ip('route', 'add', '10.8.0.0/16', 'dev', 'eth0', 'table', '100');
    await pod.berth('ADD', {
      config: { dns: { nameservers: ['10.0.0.10'], domain: 'cluster.local', options: ['ndots:5'] } },
    });
    const record = await pod.record();
    expect(record?.nic?.neighbours).toEqual([{ address: '169.254.1.1', mac }]);
    expect(record?.nic?.routes).toContainEqual({
      family: 4,
      destination: '10.9.0.0/16',
      gateway: '169.254.1.1',
      scope: 0,
      type: 1,
      protocol: 3,
      table: 254,
      metric: 50,
      mtu: 1300,
      onlink: true,
    });
    expect(record?.nic?.routes).toContainEqual(expect.objectContaining({ destination: '10.8.0.0/16', table: 100 }));
    expect(record?.nic?.dns).toEqual({ nameservers: ['10.0.0.10'], search: ['cluster.local'], options: ['ndots:5'] });
    await pod.berth('DEL');
  });

  it('mirrors what routes ask of TCP and of packets, and says what a guest cannot be told', async () => {
    const pod = await node.addPod('asking');
    const { ip } = pod.tools;
    const asking = ['advmss', '1260', 'initcwnd', '20', 'tos', '0x10'];
    await ip('route', 'add', '10.9.0.0/16', 'dev', 'eth0', ...asking);
    await ip('route', 'add', '10.8.0.0/16', 'dev', 'eth0', 'congctl', 'reno');
    await ip('address', 'add', '10.7.0.1/24', 'dev', 'eth0', 'valid_lft', '900', 'preferred_lft', '600');
    const { stderr } = await pod.berth('ADD');
    expect((await pod.record())?.nic?.routes).toContainEqual(
      expect.objectContaining({
        destination: '10.9.0.0/16',
        tos: 16,
        metrics: [
          { type: 8, value: 1260 },
          { type: 11, value: 20 },
        ],
      }),
    );
    const untold = ['address 10.7.0.1/24: its lifetime', 'route 10.8.0.0/16: its congestion control'];
    expect(JSON.parse(stderr)).toMatchObject({ level: 'warn', untold });
    await pod.berth('DEL');
  });

  it.each(['clsact', 'ingress'])("uses somebody's %s, and DEL leaves it with its filters", async (kind) => {
    const pod = await node.addPod(`foreign-${kind}`);
    await pod.run('tc', 'qdisc', 'add', 'dev', 'eth0', kind);
    const match = ['ip', 'dst', '192.0.2.1'];
    const filter = ['filter', 'add', 'dev', 'eth0', 'ingress', 'protocol', 'ip', 'pref', '7', 'u32', 'match', ...match];
    await pod.run('tc', ...filter, 'action', 'mirred', 'egress', 'mirror', 'dev', 'lo');
    const present = async () => ({
      qdiscs: (await pod.tools.qdiscs('eth0')).map((qdisc) => qdisc.kind),
      filters: (await pod.tools.ingressFilters('eth0')).map(({ pref }) => pref),
    });
    const before = await present();
    for (let time = 0; time < 2; time += 1) expect(await pod.berth('ADD')).toMatchObject({ exitCode: 0 });
    expect(await present()).toEqual({ ...before, filters: [7, 49153] });
    expect(await pod.record()).toMatchObject({ ownsIngress: false });
    await pod.berth('DEL');
    expect(await present()).toEqual(before);
    expect(before.qdiscs).toContain(kind);
  });

  it('of several pods at once does not mix them up, nor does DEL', async () => {
    const names = ['many-1', 'many-2', 'many-3', 'many-4'];
    const pods: CniPod[] = [];
    for (const name of names) pods.push(await node.addPod(name, 'bridge'));
    const added = await Promise.all(pods.map((pod) => pod.berth('ADD')));
    expect(added.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(await node.records()).toEqual(names.map((name) => `net:${name}:eth0.json`));
    for (const pod of pods) await expectWired(pod, recordedTap(await pod.record()).name);
    const deleted = await Promise.all(pods.map((pod) => pod.berth('DEL')));
    expect(deleted.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect((await Promise.all(pods.map((pod) => pod.remains()))).flat()).toEqual([]);
  });

  it('keeps its records where the configuration says', async () => {
    const pod = await node.addPod('elsewhere');
    const config = { runDir: '/run/elsewhere' };
    await pod.berth('ADD', { config });
    expect(await node.records()).toEqual([]);
    expect(await node.run('ls', '/run/elsewhere/networks')).toBe('net:elsewhere:eth0.json');
    await pod.berth('DEL', { config });
    expect(await node.run('ls', '/run/elsewhere/networks')).toBe('');
  });

  it('is explained without a change', async () => {
    const pod = await node.addPod('explained');
    const before = await pod.tools.links();
    const { exitCode, answer } = await pod.berth('ADD', { args: ['--explain'] });
    expect(exitCode).toBe(0);
    expect(answer).toMatchObject({
      wiring: {
        containerId: 'explained',
        device: { name: `berth${before.find(({ ifname }) => ifname === 'eth0')?.ifindex}` },
        nic: { mtu: 1400 },
      },
      steps: [{ do: 'record-wiring' }, { do: 'make-tap' }, {}, {}, {}, {}, {}, { do: 'record-ready' }],
    });
    expect(await pod.tools.links()).toEqual(before);
    expect(await pod.remains()).toEqual([]);
  });
});
