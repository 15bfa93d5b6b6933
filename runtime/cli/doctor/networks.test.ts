import { describe, expect, it } from 'vitest';
import { networkAttachmentRecord } from '../../../proto/network-attachment.ts';
import { parseAttachmentKey } from './cni-del.ts';
import { judgeNetwork, judgeTap, type NetworkFacts } from './networks.ts';

const record = networkAttachmentRecord.decode(
  JSON.stringify({
    v: 2,
    state: 'ready',
    network: 'net',
    containerId: 'c1',
    ifName: 'eth0',
    netnsPath: '/run/netns/c1',
    netnsId: '4:100',
    bootId: 'b1',
    ifIndex: 2,
    device: { kind: 'tap', name: 'berth2', ifIndex: 3, queues: 1 },
    ownsIngress: true,
  }),
  'test',
);
const ALIAS = 'berth:net:c1:eth0';
const well: NetworkFacts = {
  record,
  isOfThisBoot: true,
  netnsId: '4:100',
  livesElsewhere: false,
  links: [{ ifname: 'eth0' }, { ifname: 'berth2', ifalias: ALIAS }],
  isKataTold: true,
  ageMs: 1e6,
};
const wiring = { ...record, state: 'wiring' } as const;
const clear = async () => {};

describe('a recorded attachment', () => {
  it.each<[string, Partial<NetworkFacts>]>([
    ['whose TAP is there', {}],
    ['that is being wired', { record: wiring, ageMs: 50, links: [] }],
    [
      'whose VM needs no device of berth',
      { record: { ...record, device: { kind: 'physical', pciId: '0' } }, links: [] },
    ],
  ])('is well, %s', (_, change) => {
    expect(judgeNetwork({ ...well, ...change }, clear)).toEqual([]);
  });

  it.each<[string, Partial<NetworkFacts>]>([
    ['of a former boot', { isOfThisBoot: false }],
    ['whose namespace is gone', { netnsId: undefined }],
    ['whose namespace was replaced', { netnsId: '4:101' }],
  ])('is cleared, %s', (_, change) => {
    expect(judgeNetwork({ ...well, ...change }, clear)).toMatchObject([{ status: 'orphan', repair: { apply: clear } }]);
  });

  it.each<[string, Partial<NetworkFacts>]>([
    ['whose namespace lives on elsewhere', { netnsId: undefined, livesElsewhere: true }],
    ['whose TAP is gone', { links: [] }],
    ['whose macvtap is gone, though not its ifb', { links: [{ ifname: 'berth2-in', ifalias: ALIAS }] }],
    ['of which Kata is not told', { isKataTold: false }],
    ['whose ADD was interrupted', { record: wiring }],
  ])('is found, and left alone, %s', (_, change) => {
    const findings = judgeNetwork({ ...well, ...change }, clear);
    expect(findings).toMatchObject([{ status: 'orphan', mend: 'CNI DEL of container c1, eth0' }]);
    expect(findings[0]?.repair).toBeUndefined();
  });
});

describe('a link with an alias', () => {
  const tap = (ifalias: string | undefined, ...flags: string[]) => ({
    ifname: 'berth2',
    flags: ['UP', ...flags],
    linkinfo: { info_kind: 'tun' },
    ...(ifalias === undefined ? {} : { ifalias }),
  });
  const judge = (link: ReturnType<typeof tap>, keys: string[] = []) => judgeTap(link, '/run/netns/c1', keys, clear);

  it.each([
    ['no alias', tap(undefined), []],
    ['a foreign alias', tap('uplink'), []],
    ['a record', tap(ALIAS), ['net:c1:eth0']],
  ])('is none of our business, or well, with %s', (_, link, keys) => {
    expect(judge(link, keys)).toEqual([]);
  });

  it('is cleared without a record, unless a process has it open or the alias is not of our making', () => {
    expect(judge(tap(ALIAS))).toMatchObject([{ status: 'orphan', repair: { apply: clear } }]);
    const macvtap = { ...tap(ALIAS), linkinfo: { info_kind: 'macvtap' } };
    for (const link of [tap(ALIAS, 'LOWER_UP'), tap('berth:strange'), macvtap]) {
      expect(judge(link)).toMatchObject([{ status: 'orphan' }]);
      expect(judge(link)[0]?.repair).toBeUndefined();
    }
  });
});

it.each([
  ['net:c1:eth0', { network: 'net', containerId: 'c1', ifName: 'eth0' }],
  ['net:c1', undefined],
  ['net::eth0', undefined],
  ['net:c1:eth0:x', undefined],
])('reads the key %s', (key, expected) => {
  expect(parseAttachmentKey(key)).toEqual(expected);
});
