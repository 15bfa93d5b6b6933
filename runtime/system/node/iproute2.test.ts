import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { iproute2, parseJsonArray } from './iproute2.ts';

/** A veth pair in a network namespace that ends with the shell. The prefix runs each command after the set-up. */
const SET_UP = `
ip link add v0 type veth peer name v1 && ip link set v0 up alias hello && ip link set v1 up
ip addr add 10.1.1.2/24 dev v0 && ip addr add fd00::2/64 dev v0 nodad
ip route add 10.5.0.0/16 via 10.1.1.1 dev v0 onlink mtu 1400 metric 5
ip neigh add 10.1.1.1 lladdr 02:00:00:00:00:01 dev v0 nud permanent
tc qdisc add dev v0 ingress
tc filter add dev v0 parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev v1
"$@"`;
const network = iproute2(['unshare', '--net', 'sh', '-ec', SET_UP, 'sh']);

describe('iproute2', () => {
  it('describes links', async () => {
    expect(await network.link('v0')).toMatchObject({ mtu: 1500, ifalias: 'hello', linkinfo: { info_kind: 'veth' } });
    expect(await network.link('v9')).toBeUndefined();
    expect((await network.links()).map(({ ifname }) => ifname)).toEqual(['lo', 'v1', 'v0']);
  });

  it('describes addresses', async () => {
    const addresses = await network.addresses('v0');
    expect(addresses).toContainEqual({ family: 'inet', local: '10.1.1.2', prefixlen: 24, scope: 'global' });
    expect(addresses).toContainEqual({ family: 'inet6', local: 'fd00::2', prefixlen: 64, scope: 'global' });
  });

  it('describes routes of both families and of all tables', async () => {
    const routes = await network.routes('v0');
    expect(routes).toContainEqual({
      type: 'unicast',
      dst: '10.5.0.0/16',
      gateway: '10.1.1.1',
      table: 'main',
      metric: 5,
      flags: ['onlink'],
      metrics: [{ mtu: 1400 }],
    });
    expect(routes.filter(({ table }) => table === 'local').map(({ dst }) => dst)).toContain('10.1.1.2');
    expect(routes.map(({ dst }) => dst)).toContain('fd00::/64');
  });

  it('describes neighbours', async () => {
    const permanent = { dst: '10.1.1.1', lladdr: '02:00:00:00:00:01', state: ['PERMANENT'] };
    expect(await network.neighbours('v0')).toEqual([permanent]);
  });

  it('describes queueing disciplines and what the ingress filters do', async () => {
    expect(await network.qdiscs('v0')).toContainEqual({
      kind: 'ingress',
      handle: 'ffff:',
      parent: 'ffff:fff1',
    });
    const redirect = { kind: 'mirred', mirred_action: 'redirect', direction: 'egress', to_dev: 'v1' };
    const filter = { protocol: 'all', pref: 1, kind: 'u32', options: { actions: [redirect] } };
    expect(await network.ingressFilters('v0')).toEqual([filter]);
    expect(await network.ingressFilters('v1')).toEqual([]);
  });

  it('throws what ip says', async () => {
    await expect(network.ip('link', 'set', 'v9', 'up')).rejects.toMatchObject({
      code: 'exec',
      message: expect.stringContaining('Cannot find device "v9"'),
    });
  });
});

describe('parseJsonArray', () => {
  const schema = v.object({ a: v.number() });

  it('takes no output as no entries, and leaves out empty objects', () => {
    expect(parseJsonArray(schema, '', 'ip')).toEqual([]);
    expect(parseJsonArray(schema, '[{},{"a":1,"b":2}]', 'ip')).toEqual([{ a: 1 }]);
  });

  it('names the command and the key of what it does not know', () => {
    expect(() => parseJsonArray(schema, 'oops', 'ip x')).toThrow('ip x printed something that is not JSON');
    expect(() => parseJsonArray(schema, '[{"a":"1"}]', 'ip x')).toThrow(/^ip x: a: /);
  });
});
