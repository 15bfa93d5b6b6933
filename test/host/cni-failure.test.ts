import { mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCniContainerId, parseIfName } from '../../proto/ids.ts';
import { type NetworkAttachment, type NicConfig, networkAttachmentRecord } from '../../proto/network-attachment.ts';
import { type CniNode, type CniPod, createCniNode } from '../support/cni-node.ts';

let node: CniNode;
beforeAll(async () => {
  node = await createCniNode();
});
afterAll(async () => {
  const left = await node.records();
  await node.close();
  expect(left).toEqual([]);
});

const error = (code: number, msg: string) => ({
  exitCode: 1,
  answer: { cniVersion: '1.0.0', code, msg: expect.stringContaining(msg) },
});
const tapOf = async (pod: CniPod): Promise<string> => `berth${(await pod.tools.link('eth0'))?.ifindex}`;
const kindsOf = async (pod: CniPod): Promise<string[]> => (await pod.tools.qdiscs('eth0')).map(({ kind }) => kind);

describe('ADD that fails leaves nothing', () => {
  it('where a foreign link has the name of the TAP', async () => {
    const pod = await node.addPod('foreign-link');
    const name = await tapOf(pod);
    await pod.tools.ip('link', 'add', name, 'type', 'bridge');
    const message = `interface ${name} is there already and is not berth's TAP of net:foreign-link:eth0`;
    expect(await pod.berth('ADD')).toMatchObject(error(101, message));
    expect(await pod.berth('DEL')).toMatchObject({ exitCode: 0 });
    expect(await pod.remains()).toEqual([`link ${name}`]);
    expect(await kindsOf(pod)).not.toContain('ingress');
  });

  it('where a foreign filter has our priority: TAP, qdisc and record are taken back, the filter stays', async () => {
    const pod = await node.addPod('foreign-filter');
    await pod.run('tc', 'qdisc', 'add', 'dev', 'eth0', 'clsact');
    const filter = [
      'filter',
      'add',
      'dev',
      'eth0',
      'ingress',
      'protocol',
      'all',
      'pref',
      '49153',
      'u32',
      'match',
      'u8',
      '0',
      '0',
    ];
    await pod.run('tc', ...filter, 'action', 'mirred', 'egress', 'redirect', 'dev', 'lo');
    const before = await pod.tools.ingressFilters('eth0');
    expect(await pod.berth('ADD')).toMatchObject(
      error(101, 'eth0 has another u32 filter of priority 49153; remove it'),
    );
    expect(await pod.tools.ingressFilters('eth0')).toEqual(before);
    expect(await pod.remains()).toEqual(['filter of priority 49153']);
    expect(await kindsOf(pod)).toContain('clsact');
  });

  it.each([
    [
      '/dev/net/tun is not there',
      'mount -t tmpfs none /dev/net',
      105,
      'there is no /dev/net/tun: load the kernel module tun',
      ['tun'],
    ],
    [
      '/proc/sys cannot be written',
      'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys',
      5,
      'disable_ipv6',
      [],
    ],
  ])('where %s', async (reason, breakIt, code, message, lacking) => {
    const name = `failing-${code}`;
    const broken = await createCniNode();
    try {
      const pod = await broken.addPod(name);
      await broken.run('sh', '-c', breakIt);
      const called = await pod.berth('ADD');
      expect(called, reason).toMatchObject(error(code, message));
      expect(await pod.remains()).toEqual([]);
      expect(await pod.tools.qdiscs('eth0')).not.toContainEqual(expect.objectContaining({ kind: 'ingress' }));
      const lacks = await broken.run('sh', '-c', 'cat /run/berth/network-capabilities.json 2>/dev/null || true');
      expect([...lacks.matchAll(/"feature": "(\w+)"/g)].map(([, feature]) => feature)).toEqual(lacking);
    } finally {
      await broken.close();
    }
  });

  it.each([
    [
      'full',
      'size=4k',
      'head -c 4096 /dev/zero >/run/dans/all',
      103,
      'could not write /run/dans/',
      'make room',
      'write',
    ],
    ['read-only', 'size=4k,ro', 'true', 5, 'could not write /run/dans/', '', 'EROFS: open'],
  ])('where the directory of Kata is %s', async (name, options, fill, code, message, wayOut, details) => {
    const pod = await node.addPod(name);
    await node.run('sh', '-c', `mkdir -p /run/dans && mount -t tmpfs -o ${options} none /run/dans && ${fill}`);
    try {
      const called = await pod.berth('ADD', { config: { kataDanDir: '/run/dans' } });
      expect(called).toMatchObject(error(code, message));
      expect(called.answer).toMatchObject({
        msg: expect.stringContaining(wayOut),
        details: expect.stringContaining(details),
      });
      expect(await pod.remains()).toEqual([]);
    } finally {
      await node.run('umount', '/run/dans');
    }
  });

  it('where the plugin is not root', async () => {
    const pod = await node.addPod('nobody');
    const { answer } = await pod.berth('ADD', { as: ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] });
    expect(answer).toMatchObject({ msg: expect.stringContaining('; berth must be root, with CAP_NET_ADMIN') });
    expect(await pod.remains()).toEqual([]);
  });

  it('where the interface carries no Ethernet', async () => {
    const pod = await node.addPod('tunnel');
    await pod.tools.ip('tuntap', 'add', 'dev', 'tunnel0', 'mode', 'tun');
    expect(await pod.berth('ADD', { env: { CNI_IFNAME: 'tunnel0' } })).toMatchObject(
      error(104, 'tunnel0 (tun) carries no Ethernet frames'),
    );
    expect(await pod.remains()).toEqual([]);
  });

  it('where the interface is down', async () => {
    const pod = await node.addPod('down');
    await pod.tools.ip('link', 'set', 'eth0', 'down');
    expect(await pod.berth('ADD')).toMatchObject(error(102, 'eth0 is down'));
    expect(await pod.remains()).toEqual([]);
  });

  it('where a route has several next hops', async () => {
    const pod = await node.addPod('multipath');
    const hop = (address: string) => ['nexthop', 'via', address, 'dev', 'eth0', 'onlink'];
    await pod.tools.ip('route', 'add', '10.77.0.0/16', ...hop('10.88.0.1'), ...hop('10.88.0.254'));
    expect(await pod.berth('ADD')).toMatchObject(error(104, 'route 10.77.0.0/16 of eth0 has several next hops'));
    expect(await pod.remains()).toEqual([]);
  });
});

/** What an ADD that was killed has left: its plan, carried out by hand up to a step. */
const STAGES = ['record', 'tap', 'qdiscs', 'first redirect', 'second redirect'] as const;

async function leaveOffAfter(pod: CniPod, stage: (typeof STAGES)[number]): Promise<void> {
  const { answer } = await pod.berth('ADD', { args: ['--explain'] });
  const { wiring } = answer as { wiring: object };
  const tap = await tapOf(pod);
  const redirect = (from: string, to: string) =>
    pod.run(
      ...[
        'tc',
        'filter',
        'add',
        'dev',
        from,
        'ingress',
        'protocol',
        'all',
        'pref',
        '49153',
        'u32',
        'match',
        'u8',
        '0',
        '0',
      ],
      ...['action', 'mirred', 'egress', 'redirect', 'dev', to],
    );
  const acts: Record<(typeof STAGES)[number], () => Promise<unknown>> = {
    record: async () => {
      const directory = `${node.world.root}${node.world.runDirectory}/networks`;
      await mkdir(directory, { recursive: true });
      const path = `${directory}/net:${pod.name}:eth0.json`;
      await writeFile(path, JSON.stringify({ v: networkAttachmentRecord.version, ...wiring }));
    },
    tap: async () => {
      await pod.tools.ip('tuntap', 'add', 'dev', tap, 'mode', 'tap', 'vnet_hdr');
      await pod.tools.ip('link', 'set', tap, 'alias', `berth:net:${pod.name}:eth0`);
    },
    qdiscs: async () => {
      for (const device of ['eth0', tap]) await pod.run('tc', 'qdisc', 'add', 'dev', device, 'ingress');
    },
    'first redirect': () => redirect(tap, 'eth0'),
    'second redirect': () => redirect('eth0', tap),
  };
  for (const act of STAGES.slice(0, STAGES.indexOf(stage) + 1)) await acts[act]();
}

describe.each(STAGES)('after an ADD that was killed with its %s done', (stage) => {
  const name = `killed-${STAGES.indexOf(stage)}`;

  it('ADD finishes the work, and DEL leaves nothing', async () => {
    const pod = await node.addPod(`${name}-add`);
    await leaveOffAfter(pod, stage);
    expect(await pod.berth('ADD')).toMatchObject({ exitCode: 0 });
    expect(await pod.record()).toMatchObject({ state: 'ready', ownsIngress: true });
    const tap = await tapOf(pod);
    expect((await pod.tools.links()).map(({ ifname }) => ifname).sort()).toEqual([tap, 'eth0', 'lo']);
    expect(await pod.tools.ingressFilters('eth0')).toHaveLength(1);
    expect(await pod.tools.ingressFilters(tap)).toHaveLength(1);
    await pod.berth('DEL');
    expect(await pod.remains()).toEqual([]);
    expect(await kindsOf(pod)).not.toContain('ingress');
  });

  it('DEL leaves nothing', async () => {
    const pod = await node.addPod(`${name}-del`);
    await leaveOffAfter(pod, stage);
    expect(await pod.berth('DEL')).toMatchObject({ exitCode: 0 });
    expect(await pod.remains()).toEqual([]);
    expect(await kindsOf(pod)).not.toContain('ingress');
  });
});

describe('the record of a pod that ended without DEL', () => {
  it('is not in the way of the next namespace, which gets its inode at once, nor is its own DEL', async () => {
    const pod = await node.addPod('heir');
    const { answer } = await pod.berth('ADD', { args: ['--explain'] });
    const { wiring } = answer as { wiring: NetworkAttachment };
    const former = {
      ...wiring,
      containerId: parseCniContainerId('former'),
      device: { kind: 'macvtap', mode: 'bridge', name: parseIfName('berth9'), queues: 1 } as const,
      nic: { ...(wiring.nic as NicConfig), mac: '02:00:00:00:00:01' },
      gaveUp: { hadIpv6: true },
    };
    const directory = `${node.world.root}${node.world.runDirectory}/networks`;
    await mkdir(directory, { recursive: true });
    await writeFile(`${directory}/net:former:eth0.json`, networkAttachmentRecord.encode(former));
    expect(await pod.berth('ADD')).toMatchObject({ exitCode: 0 });
    expect(await pod.berth('DEL', { env: { CNI_CONTAINERID: 'former' } })).toMatchObject({ exitCode: 0 });
    expect(await node.records()).toEqual(['net:heir:eth0.json']);
    expect(await pod.berth('CHECK')).toMatchObject({ exitCode: 0 });
    await pod.berth('DEL');
  });
});
