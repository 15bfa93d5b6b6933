import { expect, it } from 'vitest';
import { addNetns, inNetns } from '../../../deploy/demo/netns.ts';
import { createWorld } from '../../support/world.ts';
import { compareStates, readNetworkState } from './network-state.ts';

/** Whatever a plugin may leave, by the command that leaves it. */
const CHANGES: Readonly<Record<string, string>> = {
  'a link': 'ip link add left0 type bridge',
  'a link that is up': 'ip link set v1 up',
  'a name': 'ip link set v1 alias something',
  'an address': 'ip address add 192.0.2.7/24 dev v0',
  'a route': 'ip route add 198.51.100.0/24 dev v0',
  'a route of another table': 'ip route add 198.51.100.0/24 dev v0 table 7',
  'a neighbour': 'ip neighbour add 192.0.2.9 lladdr 02:00:00:00:00:09 dev v0 nud permanent',
  'a rule': 'ip rule add from 192.0.2.7 table 7',
  'a qdisc': 'tc qdisc add dev v0 root tbf rate 1mbit burst 10kb latency 10ms',
  'an ingress qdisc': 'tc qdisc add dev v0 clsact',
  'a filter':
    'tc filter add dev filtered0 ingress protocol all pref 7 u32 match u8 0 0 action mirred egress redirect dev lo',
  'a filter beside another':
    'tc filter add dev filtered0 egress protocol all pref 7 u32 match u8 0 0 action mirred egress redirect dev lo',
  'a rule of netfilter': 'iptables -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE',
  'a chain of netfilter': 'iptables -N LEFT',
};

it('what a plugin may leave is seen, and nothing else', { timeout: 60_000 }, async () => {
  const world = await createWorld();
  try {
    const differing: string[] = [];
    for (const [name, change] of Object.entries(CHANGES)) {
      const netns = name.replaceAll(' ', '-');
      await addNetns(netns, world.prefix);
      const inside = [...world.prefix, ...inNetns(netns)];
      const run = (command: string) => world.exec(...inNetns(netns), 'sh', '-e', '-c', command);
      await run(`
        ip link add v0 type veth peer name v1; ip link set v0 up
        ip link add filtered0 type bridge; tc qdisc add dev filtered0 clsact
        iptables -t nat -L >/dev/null; iptables -L >/dev/null`);
      const before = await readNetworkState(inside);
      expect(compareStates(before, await readNetworkState(inside))).toEqual([]);
      await run(change);
      if (compareStates(before, await readNetworkState(inside)).length > 0) differing.push(name);
    }
    expect(differing).toEqual(Object.keys(CHANGES));
  } finally {
    await world.close();
  }
});
