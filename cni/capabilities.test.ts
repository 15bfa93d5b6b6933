import { describe, expect, it } from 'vitest';
import { POD_ANNOTATIONS, parseCapabilities, refuseOtherIdentity } from './capabilities.ts';
import type { PodInterface } from './pod-interface.ts';
import { refusal } from './refusal.fixture.ts';

const NONE = { bandwidth: undefined, dns: undefined, identity: [], annotations: undefined };
const FULL = { ingressRate: 8_000_000, ingressBurst: 80_000, egressRate: 0, egressBurst: 0 };

describe('capabilities', () => {
  it.each([
    [{}, {}],
    [{ runtimeConfig: {} }, {}],
    [{ runtimeConfig: null, args: null }, {}],
    [{ runtimeConfig: { mac: null, ips: null, dns: null, bandwidth: null }, args: { cni: null } }, {}],
    [{ args: { cni: {} }, runtimeConfig: { portMappings: [{}] } }, {}],
    [{ runtimeConfig: { bandwidth: { ingressRate: 8_000_000, ingressBurst: 80_000 } } }, { bandwidth: FULL }],
    [
      { runtimeConfig: { bandwidth: { IngressRate: 8_000_000, IngressBurst: 80_000, EgressRate: 0 } } },
      { bandwidth: FULL },
    ],
    [{ runtimeConfig: { bandwidth: {} } }, {}],
    [{ runtimeConfig: { bandwidth: { ...FULL, egressRate: null, egressBurst: null } } }, { bandwidth: FULL }],
    [
      { runtimeConfig: { dns: { servers: ['10.0.0.10'], searches: ['a'], options: ['ndots:5'] } } },
      { dns: { nameservers: ['10.0.0.10'], search: ['a'], options: ['ndots:5'] } },
    ],
    [
      { runtimeConfig: { dns: { Servers: ['10.0.0.10'], Searches: null, Options: ['ndots:5'] } } },
      { dns: { nameservers: ['10.0.0.10'], search: [], options: ['ndots:5'] } },
    ],
    [{ runtimeConfig: { dns: { Servers: null, searches: ['a'] } } }, {}],
    [{ runtimeConfig: { [POD_ANNOTATIONS]: null } }, { annotations: {} }],
    [{ runtimeConfig: { [POD_ANNOTATIONS]: { a: 'b' } } }, { annotations: { a: 'b' } }],
    [{ runtimeConfig: { mac: '' } }, {}],
    [
      { runtimeConfig: { mac: '02:00:00:00:00:01', ips: ['10.1.1.2'] }, args: { cni: { ips: ['fd00::2/64'] } } },
      {
        identity: [
          { kind: 'mac', key: 'runtimeConfig.mac', value: '02:00:00:00:00:01' },
          { kind: 'ips', key: 'runtimeConfig.ips', value: '10.1.1.2' },
          { kind: 'ips', key: 'args.cni.ips', value: 'fd00::2/64' },
        ],
      },
    ],
  ])('of %j', (json, expected) => {
    expect(parseCapabilities(json)).toEqual({ ...NONE, ...expected });
  });

  it.each([
    [{ runtimeConfig: 7 }, 'runtimeConfig: '],
    [{ args: 'x' }, 'args: '],
    [{ args: { cni: { mac: 1 } } }, 'args.cni.mac: '],
    [{ runtimeConfig: { ips: '10.1.1.2' } }, 'runtimeConfig.ips: '],
    [{ runtimeConfig: { dns: { servers: [1] } } }, 'runtimeConfig.dns.servers.0: '],
    [{ runtimeConfig: { [POD_ANNOTATIONS]: 'x' } }, POD_ANNOTATIONS],
    [{ runtimeConfig: { [POD_ANNOTATIONS]: [] } }, `${POD_ANNOTATIONS}: must be an object whose values are texts`],
    [{ runtimeConfig: { [POD_ANNOTATIONS]: { 'example.com/vm': true } } }, 'must be an object whose values are texts'],
    [{ runtimeConfig: { bandwidth: { ingressRate: -1 } } }, 'runtimeConfig.bandwidth.ingressRate: '],
    [{ runtimeConfig: { bandwidth: { ingressRate: 8 } } }, 'bandwidth.ingressBurst is missing or 0, but ingressRate'],
    [{ runtimeConfig: { bandwidth: { egressBurst: 8 } } }, 'bandwidth.egressRate is missing or 0, but egressBurst'],
  ])('are refused: %j', (json, message) => {
    const [code, found] = refusal(() => parseCapabilities(json));
    expect(code).toBe(7);
    expect(found).toContain(message);
  });
});

describe('an identity that is asked for', () => {
  const pod = {
    link: { name: 'eth0', mac: '02:00:00:00:00:0a' },
    addresses: [{ address: '10.1.1.2/24' }, { address: 'fd00::2/64' }],
  } as unknown as PodInterface;
  const check = (runtimeConfig: object) => refuseOtherIdentity(parseCapabilities({ runtimeConfig }).identity, pod);

  it.each([
    {},
    { mac: '02:00:00:00:00:0A' },
    { mac: '02-00-00-00-00-0a' },
    { mac: '0200.0000.000A' },
    { ips: ['10.1.1.2', 'FD00:0:0::2/128'] },
  ])('is there: %j', (runtimeConfig) => {
    expect(() => check(runtimeConfig)).not.toThrow();
  });

  it.each([
    [
      { mac: '02:00:00:00:00:0b' },
      'runtimeConfig.mac: "02:00:00:00:00:0b" is asked for, but eth0 has 02:00:00:00:00:0a',
    ],
    [{ ips: ['10.1.1.2', '10.1.1.3'] }, '"10.1.1.3" is asked for, but eth0 has 10.1.1.2, fd00::2: give "capabilities"'],
    [{ mac: 'zz' }, 'runtimeConfig.mac: "zz" is no MAC'],
    [{ ips: ['10.1.1'] }, 'runtimeConfig.ips: "10.1.1" is no address'],
  ])('is not: %j', (runtimeConfig, message) => {
    const [code, found] = refusal(() => check(runtimeConfig));
    expect(code).toBe(7);
    expect(found).toContain(message);
  });
});
