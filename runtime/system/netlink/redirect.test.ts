import { describe, expect, it } from 'vitest';
import { Fault } from '../../../proto/fault.ts';
import { CLASSIFIERS } from './classifier.ts';
import type { Netlink } from './connection.ts';
import { kernelMessage, toHex } from './kernel-message.ts';
import type { NetlinkMessage, NetlinkRequest } from './message.ts';
import { encodeTokenBucket, ensureIngress, findQdiscs } from './qdisc.ts';
import {
  encodeRedirect,
  ensureNoRedirect,
  ensureRedirect,
  listIngressFilters,
  parseFilter,
  toRedirect,
} from './redirect.ts';

const eth0 = { index: 3, name: 'eth0' };
const tap = { index: 2, name: 'berth3' };

const ROOT_QDISC =
  '30000000 2400 0200 07000000 17000000 00000000 03000000 00000000 ffffffff 02000000 0c000100 6e6f717565756500';
const INGRESS =
  '30000000 2400 0200 07000000 17000000 00000000 03000000 0000ffff f1ffffff 01000000 0c000100 696e677265737300';
const CLSACT =
  '30000000 2400 0200 07000000 17000000 00000000 03000000 0000ffff f1ffffff 01000000 0b000100 636c7361637400 00';
const FILTER_HEAD = `
  34000000 2c00 0200 07000000 17000000 00000000 03000000 00000000 f2ffffff 000301c0 08000100 75333200
  08000b00 00000000`;
const HASH_TABLE = `
  40000000 2c00 0200 07000000 17000000 00000000 03000000 00000080 f2ffffff 000301c0 08000100 75333200 08000b00 00000000
  0c000200 08000400 01000000`;
/** As the kernel prints it, less what follows the action. */
const redirect = (target: string) => `
  98000000 2c00 0200 07000000 17000000 00000000 03000000 00080080 f2ffffff 000301c0 08000100 75333200 08000b00 00000000
  64000200 14000500 01000000 00000000 00000000 00000000 08000200 00000080
  44000700 40000100 0b000100 6d697272656400 00
  30000200 20000200 02000000 00000000 04000000 01000000 01000000 01000000 ${target} 0c000100 00000000 00000000`;
const REDIRECT_TO_TAP = redirect('02000000');
const bpf = FILTER_HEAD.replace('75333200', '62706600').replace('03000000 00000000', '03000000 01000000');

/** A kernel with these qdiscs and filters, which records what it is told and changes nothing. */
function kernel(
  qdiscs: readonly string[],
  filters: readonly string[],
  refuse: (words: string) => Fault | undefined = () => undefined,
) {
  const told: string[] = [];
  const netlink: Netlink = {
    dump: ({ words }: NetlinkRequest): NetlinkMessage[] =>
      (words.startsWith('list qdiscs') ? qdiscs : filters).map(kernelMessage),
    request({ words }: NetlinkRequest): NetlinkMessage[] {
      told.push(words);
      const refusal = refuse(words);
      if (refusal !== undefined) throw refusal;
      return [];
    },
  };
  return { netlink, told };
}

describe('ingress', () => {
  it.each([
    ['nothing', [ROOT_QDISC], undefined],
    ['ingress', [ROOT_QDISC, INGRESS], 'ingress'],
    ['clsact', [CLSACT], 'clsact'],
    ['the qdisc of another interface', [INGRESS.replace('03000000 0000ffff', '09000000 0000ffff')], undefined],
  ])('finds %s', (_, qdiscs, kind) => {
    expect(findQdiscs(kernel(qdiscs, []).netlink, eth0).ingress).toBe(kind);
  });

  it('is added, and left where there is one', () => {
    const refusal = (errno: string) => new Fault('exists', 'could not', { fields: { errno } });
    for (const refuse of [undefined, refusal('EEXIST')]) {
      const { netlink, told } = kernel([], [], () => refuse);
      ensureIngress(netlink, eth0);
      expect(told).toEqual(['add an ingress qdisc to eth0']);
    }
    expect(() => ensureIngress(kernel([], [], () => refusal('EBUSY')).netlink, eth0)).toThrow('could not');
  });

  it.each([
    ['goes when it serves nobody', [], 1],
    ['goes with our redirect, in one', [FILTER_HEAD, HASH_TABLE, REDIRECT_TO_TAP], 1],
    ['stays for the filter of others', [FILTER_HEAD.replace('000301c0', '000300c0')], 0],
    ['stays for a redirect elsewhere', [redirect('09000000')], 0],
  ])('that is ours %s', (_, filters, deletions) => {
    const { netlink, told } = kernel([INGRESS], filters);
    ensureNoRedirect(netlink, eth0, { targets: [tap.index], ownsIngress: true });
    expect(told).toEqual(deletions === 1 ? ['delete the ingress qdisc of eth0'] : []);
  });

  it('that was ours and is a clsact now stays, without our redirect', () => {
    const { netlink, told } = kernel([CLSACT], [REDIRECT_TO_TAP], (words) =>
      words.includes('qdisc') ? new Fault('io', 'could not', { fields: { errno: 'EINVAL' } }) : undefined,
    );
    ensureNoRedirect(netlink, eth0, { targets: [tap.index], ownsIngress: true });
    expect(told).toEqual(['delete the ingress qdisc of eth0', 'delete the redirect of eth0']);
  });

  it('names the kernel module that is missing', () => {
    const { netlink, told } = kernel(
      [],
      [],
      () => new Fault('not-found', 'could not', { fields: { errno: 'ENOENT' } }),
    );
    expect(() => ensureIngress(netlink, eth0)).toThrow(/the kernel lacks sch_ingress/);
    expect(() => ensureRedirect(netlink, eth0, tap, [])).toThrow(
      /the kernel has none of cls_u32, cls_matchall, cls_bpf, or it lacks act_mirred/,
    );
    expect(told).toHaveLength(1 + CLASSIFIERS.length);
  });
});

describe('redirect', () => {
  it('matches every packet and steals it', () => {
    expect(toHex(encodeRedirect(eth0, tap, 'u32').payload)).toBe(
      [
        '00000000 03000000 00000000 f2ffffff 000301c0',
        '08000100 75333200',
        '50000200',
        '14000500 01000000 00000000 00000000 00000000',
        '38000700 34000100 0b000100 6d697272656400 00',
        '24000200 20000200 00000000 00000000 04000000 00000000 00000000 01000000 02000000',
      ]
        .join('')
        .replaceAll(' ', ''),
    );
  });

  it.each([
    ['matchall', '0d000100 6d61746368616c6c00 000000', '3c000200', '38000200'],
    ['bpf', '08000100 62706600', '50000200' + '06000400 0100 0000' + '0c000500 0600 0000 ffffffff', '38000100'],
  ] as const)('has no key, or a program of one instruction, as %s', (classifier, kind, options, actions) => {
    const { payload } = encodeRedirect(eth0, tap, classifier);
    const text = toHex(payload);
    expect(text).toContain((kind + options + actions).replaceAll(' ', ''));
    expect(parseFilter(payload)).toMatchObject({ kind: classifier, redirectsTo: 2 });
  });

  it('is described with what else stands in its place', () => {
    const described = (...filters: readonly string[]) =>
      toRedirect(filters.map((hex) => parseFilter(kernelMessage(hex).payload)));
    expect(described(FILTER_HEAD, HASH_TABLE, REDIRECT_TO_TAP)).toEqual({ targets: [2], dangling: 0, foreign: [] });
    expect(described(REDIRECT_TO_TAP, REDIRECT_TO_TAP).targets).toEqual([2, 2]);
    expect(described(redirect('00000000'), bpf)).toEqual({ targets: [], dangling: 1, foreign: ['bpf'] });
    expect(described(REDIRECT_TO_TAP.replace('000301c0', '000302c0')).targets).toEqual([]);
  });

  it('is read back with handle, priority and target', () => {
    const { payload } = kernelMessage(REDIRECT_TO_TAP);
    expect(parseFilter(payload)).toEqual({ handle: 0x80000800, priority: 49153, kind: 'u32', redirectsTo: 2 });
    expect(parseFilter(kernelMessage(HASH_TABLE).payload)).not.toHaveProperty('redirectsTo');
  });

  it.each([
    ['makes one', [], ['redirect packets of eth0 to berth3']],
    ['leaves the one that is there', [FILTER_HEAD, HASH_TABLE, REDIRECT_TO_TAP], []],
    [
      'replaces one to an interface that is gone',
      [FILTER_HEAD, HASH_TABLE, redirect('00000000')],
      ['delete the redirect of eth0', 'redirect packets of eth0 to berth3'],
    ],
    ['does not mind other priorities', [bpf.replace('000301c0', '000300c0')], ['redirect packets of eth0 to berth3']],
  ])('%s', (_, filters, expected) => {
    const { netlink, told } = kernel([INGRESS], filters);
    ensureRedirect(netlink, eth0, tap, listIngressFilters(netlink, eth0));
    expect(told).toEqual(expected);
  });

  it.each([
    ['another classifier', bpf, 'eth0 has another bpf filter of priority 49153'],
    ['a redirect elsewhere', redirect('09000000'), 'eth0 has another u32 filter of priority 49153'],
  ])('is refused where %s has the priority', (_, filter, message) => {
    const { netlink } = kernel([INGRESS], [filter]);
    expect(() => ensureRedirect(netlink, eth0, tap, listIngressFilters(netlink, eth0))).toThrow(message);
  });

  it.each([
    ['ours', [FILTER_HEAD, HASH_TABLE, REDIRECT_TO_TAP], 1],
    ['ours to a TAP that is gone', [redirect('00000000')], 1],
    ['ours beside one elsewhere', [FILTER_HEAD, HASH_TABLE, REDIRECT_TO_TAP, redirect('09000000')], 1],
    ['one elsewhere', [redirect('09000000')], 0],
    ['one of another priority', [REDIRECT_TO_TAP.replace('000301c0', '000302c0')], 0],
    ['another classifier', [bpf], 0],
  ])('deletes %s: %#', (_, filters, deletions) => {
    const { netlink, told } = kernel([INGRESS], filters);
    ensureNoRedirect(netlink, eth0, { targets: [tap.index], ownsIngress: false });
    expect(told).toHaveLength(deletions);
  });
});

describe('root qdiscs', () => {
  it.each([
    ["the kernel's own", ROOT_QDISC, { kind: 'noqueue', owner: 'kernel' }],
    ['ours', ROOT_QDISC.replace('03000000 00000000', '03000000 000072be'), { kind: 'noqueue', owner: 'berth' }],
    ["somebody's", ROOT_QDISC.replace('03000000 00000000', '03000000 00000100'), { kind: 'noqueue', owner: 'others' }],
  ])('are told apart: %s', (_, qdisc, root) => {
    expect(findQdiscs(kernel([qdisc, INGRESS], []).netlink, eth0)).toEqual({ root, ingress: 'ingress' });
  });

  const bucket = { bytesPerSecond: 2_500_000, burstBytes: 131_072, limitBytes: 262_144 };

  it('limit to a rate after a burst', () => {
    expect(toHex(encodeTokenBucket(eth0, bucket).payload)).toBe(
      [
        '00000000 03000000 000072be ffffffff 00000000',
        '08000100 74626600',
        '34000200',
        '28000100 00010000 00000000 a0252600 00000000 00000000 00000000 00000400 00000000 00000000',
        '08000600 00000200',
      ]
        .join('')
        .replaceAll(' ', ''),
    );
  });

  it('say a rate that 32 bits do not hold in 64', () => {
    const text = toHex(encodeTokenBucket(eth0, { ...bucket, bytesPerSecond: 2 ** 32 + 7 }).payload);
    expect(text).toContain(`ffffffff${'0'.repeat(24)}`);
    expect(text.slice(-24)).toBe('0c0004000700000001000000');
  });
});
