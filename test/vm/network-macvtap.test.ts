import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLab, type Lab } from '../support/lab.ts';
import { configList, createPodNetwork, type PodNetwork } from '../support/pod-network.ts';
import { twoProcessors } from '../support/qemus.ts';
import { type ShellPod, startShellPod } from '../support/shell-pod.ts';

const list = (berth: object) =>
  configList({
    main: { type: 'ptp' },
    subnets: ['10.92.0.0/24', 'fd00:92::/64'],
    berth: { mode: 'macvtap', ...berth },
  });
/** Each with as many processors as queues. */
const PODS = [
  { name: 'a', list: list({}), queues: 1 },
  { name: 'b', list: list({ queues: 2 }), queues: 2 },
  { name: 'c', list: list({ macvtapMode: 'bridge' }), queues: 1 },
] as const;

let lab: Lab;
let network: PodNetwork;
const addresses = new Map<string, readonly string[]>();
const guests = new Map<string, ShellPod>();
const guest = (name: string): ShellPod => {
  const found = guests.get(name);
  if (found === undefined) throw new Error(`no pod ${name}`);
  return found;
};
beforeAll(async () => {
  lab = await createLab();
  network = await createPodNetwork(lab);
  for (const { name, list } of PODS) addresses.set(name, await network.attach(name, list));
  const starting = PODS.map(({ name, queues }) =>
    startShellPod(lab, name, { flags: ['--netns', `/run/netns/${name}`, ...(queues === 2 ? twoProcessors : [])] }),
  );
  for (const started of await Promise.all(starting)) guests.set(started.name, started);
});
afterAll(() => lab.close());

const listLinks = async (pod: string): Promise<readonly { ifname: string; ifindex: number; address: string }[]> =>
  JSON.parse(await network.inPod(pod, 'ip', '-json', 'link'));

it('has the same name and index in every namespace, and each VM its own traffic', async () => {
  const macvtaps = await Promise.all(
    PODS.map(async ({ name }) => (await listLinks(name)).find(({ ifname }) => ifname.startsWith('berth'))),
  );
  expect(new Set(macvtaps.map((link) => `${link?.ifname} ${link?.ifindex}`)).size).toBe(1);
  for (const { name } of PODS) {
    await guest(name).run(`echo ${name} >/tmp/name; httpd -p [::]:80 -h /tmp`);
    for (const gateway of ['10.92.0.1', 'fd00:92::1']) await guest(name).run(`ping -c 2 -A ${gateway}`);
  }
  for (const { name } of PODS) {
    for (const address of addresses.get(name) ?? []) {
      const url = `http://${address.includes(':') ? `[${address}]` : address}/name`;
      expect(await network.inPeer('busybox', 'wget', '-q', '-O', '-', url)).toBe(name);
      for (const other of PODS.filter((one) => one.name !== name)) {
        expect(await guest(other.name).run(`wget -q -O - '${url}'`)).toBe(name);
      }
    }
  }
});

it('is one NIC with the queues that were asked for, and passthru leaves the interface its address', async () => {
  for (const { name, queues } of PODS) {
    const { length } = (await guest(name).run('cd /sys/class/net/eth0/queues; echo rx-*')).split(' ');
    expect([name, length]).toEqual([name, queues]);
    const mac = await guest(name).run('cat /sys/class/net/eth0/address');
    const links = await listLinks(name);
    const found = links.filter(({ address }) => address === mac).map(({ ifname }) => ifname.replace(/\d+$/, ''));
    expect(found).toEqual(name === 'c' ? ['berth'] : ['eth', 'berth']);
  }
});

it('is in order by CHECK, and is not taken from a VM that runs', async () => {
  for (const { name, list } of PODS) expect(await network.berth('CHECK', name, list)).toBe('');
  const [{ name, list }] = PODS;
  expect(JSON.parse(await network.berth('DEL', name, list))).toMatchObject({
    code: 11,
    msg: expect.stringMatching(/^a VMM has berth\d+ open; end the pod's virtual machine first/),
  });
  await guest(name).run('ping -c 1 10.92.0.1');
});

it('leaves nothing', async () => {
  for (const { name, list } of PODS) {
    expect(await guest(name).end()).toBe(0);
    await network.detach(name, list);
    expect((await listLinks(name)).map(({ ifname }) => ifname)).toEqual(['lo']);
    await network.remove(name);
  }
  expect(await lab.remains()).toEqual([]);
});
