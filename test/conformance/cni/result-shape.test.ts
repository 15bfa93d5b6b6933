import { describe, expect, it } from 'vitest';
import { findShapeProblems } from './result-shape.ts';
import type { CniVersion } from './versions.ts';

const NEW = {
  cniVersion: '1.1.0',
  interfaces: [
    { name: 'veth1', mac: '02:00:00:00:00:01' },
    { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/run/netns/a', mtu: 1400 },
  ],
  ips: [{ address: '10.1.0.2/24', gateway: '10.1.0.1', interface: 1 }, { address: 'fd00::2/64' }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400, table: 100 }],
  dns: { nameservers: ['10.1.0.1'], search: ['example.com'] },
};
const OLD = {
  cniVersion: '0.4.0',
  interfaces: [{ name: 'eth0', mac: '', sandbox: '/run/netns/a' }],
  ips: [{ version: '4', address: '10.1.0.2/24', interface: 0 }],
  dns: {},
};

describe('the form of a result', () => {
  it.each<[CniVersion, object]>([
    ['1.1.0', NEW],
    ['1.0.0', { ...NEW, cniVersion: '1.0.0' }],
    ['0.4.0', OLD],
    ['0.3.1', { ...OLD, cniVersion: '0.3.1' }],
    ['1.1.0', { cniVersion: '1.1.0' }],
  ])('is right in %s', (version, result) => expect(findShapeProblems(result, version)).toEqual([]));

  it.each<[string, CniVersion, unknown, string]>([
    ['no object', '1.0.0', [], 'cniVersion is missing'],
    ['another version', '1.0.0', NEW, 'cniVersion is 1.1.0, but the configuration has 1.0.0'],
    ['no address', '1.1.0', { ...NEW, ips: [{ address: '10.1.0.2' }] }, 'must be an IP address with its prefix length'],
    ['a long prefix', '1.1.0', { ...NEW, ips: [{ address: '10.1.0.2/33' }] }, 'ips.0.address'],
    ['an index too far', '1.1.0', { ...NEW, ips: [{ address: '10.1.0.2/24', interface: 2 }] }, 'interface 2'],
    ['a nameless interface', '1.1.0', { ...NEW, interfaces: [{ mac: '' }] }, 'interfaces.0.name is missing'],
    ['no MAC', '1.1.0', { ...NEW, interfaces: [{ name: 'a', mac: 'b' }] }, 'must be a hardware address'],
    ['a gateway with a prefix', '1.1.0', { ...NEW, routes: [{ dst: '::/0', gw: 'fd00::1/64' }] }, 'routes.0.gw'],
    ['a family that went', '1.1.0', { ...NEW, ips: [{ version: '4', address: '10.1.0.2/24' }] }, 'went with 1.0.0'],
    ['no family', '0.4.0', { ...OLD, ips: [{ address: '10.1.0.2/24' }] }, 'version of 10.1.0.2/24 is missing'],
    ['the other family', '0.4.0', { ...OLD, ips: [{ version: '4', address: 'fd00::2/64' }] }, 'must be "6"'],
    ['a late key', '0.4.0', { ...OLD, interfaces: [{ name: 'eth0', mtu: 1400 }] }, 'the key mtu is of 1.1.0'],
  ])('with %s is told of', (_, version, result, problem) =>
    expect(findShapeProblems(result, version).join('\n')).toContain(problem),
  );
});
