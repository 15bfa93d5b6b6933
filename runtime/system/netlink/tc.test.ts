import { describe, expect, it } from 'vitest';
import { Fault } from '../../../proto/fault.ts';
import type { Netlink } from './connection.ts';
import { kernelMessage, toHex } from './kernel-message.ts';
import type { NetlinkMessage, NetlinkRequest } from './message.ts';
import {
  encodeRedirect,
  ensureIngress,
  ensureNoEmptyIngress,
  ensureNoRedirect,
  ensureRedirect,
  findIngress,
  parseFilter,
} from './tc.ts';

const eth0 = { index: 3, name: 'eth0' };
const tap = { index: 2, name: 'berth3' };

const ROOT_QDISC =
  '30000000 2400 0200 07000000 17000000 00000000 03000000 00000000 ffffffff 02000000 0c000100 6e6f717565756500';
const INGRESS =
  '30000000 2400 0200 07000000 17000000 00000000 03000000 0000ffff f1ffffff 01000000 0c000100 696e677265737300';
const CLSACT =
  '30000000 2400 0200 07000000 17000000 00000000 03000000 0000ffff f1ffffff 01000000 0b000100 636c7361637400 00';
const FILTER_HEAD =
  '34000000 2c00 0200 07000000 17000000 00000000 03000000 00000000 f2ffffff 000301c0 08000100 75333200 08000b00 00000000';
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
const bpf = FILTER_HEAD.replace('75333200', '62706600');

/** A kernel with these qdiscs and filters, which records what it is told and changes nothing. */
function kernel(qdiscs: readonly string[], filters: readonly string[], refuse?: Fault) {
  const told: string[] = [];
  const netlink: Netlink = {
    dump: ({ words }: NetlinkRequest): NetlinkMessage[] =>
      (words.startsWith('list qdiscs') ? qdiscs : filters).map(kernelMessage),
    request({ words }: NetlinkRequest): NetlinkMessage[] {
      told.push(words);
      if (refuse !== undefined) throw refuse;
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
    expect(findIngress(kernel(qdiscs, []).netlink, eth0)).toBe(kind);
  });

  it('is added, and left where there is one', () => {
    const refusal = (errno: string) => new Fault('exists', 'could not', { fields: { errno } });
    for (const refuse of [undefined, refusal('EEXIST')]) {
      const { netlink, told } = kernel([], [], refuse);
      ensureIngress(netlink, eth0);
      expect(told).toEqual(['add an ingress qdisc to eth0']);
    }
    expect(() => ensureIngress(kernel([], [], refusal('EBUSY')).netlink, eth0)).toThrow('could not');
  });

  it('is deleted only when it serves nobody', () => {
    const left = ([qdiscs, filters]: [string[], string[]]) => {
      const { netlink, told } = kernel(qdiscs, filters);
      ensureNoEmptyIngress(netlink, eth0);
      return told.length === 0;
    };
    expect(left([[INGRESS], []])).toBe(false);
    expect(left([[INGRESS], [FILTER_HEAD]])).toBe(true);
    expect(left([[CLSACT], []])).toBe(true);
    expect(left([[ROOT_QDISC], []])).toBe(true);
  });

  it('names the kernel module that is missing', () => {
    const { netlink } = kernel([], [], new Fault('not-found', 'could not', { fields: { errno: 'ENOENT' } }));
    expect(() => ensureIngress(netlink, eth0)).toThrow(/the kernel lacks sch_ingress/);
    expect(() => ensureRedirect(netlink, eth0, tap)).toThrow(/the kernel lacks cls_u32 or act_mirred/);
  });
});

describe('redirect', () => {
  it('matches every packet and steals it', () => {
    expect(toHex(encodeRedirect(eth0, tap).payload)).toBe(
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
    ensureRedirect(netlink, eth0, tap);
    expect(told).toEqual(expected);
  });

  it.each([
    ['another classifier', bpf, 'eth0 has another bpf filter of priority 49153'],
    ['a redirect elsewhere', redirect('09000000'), 'eth0 has another u32 filter of priority 49153'],
  ])('is refused where %s has the priority', (_, filter, message) => {
    expect(() => ensureRedirect(kernel([INGRESS], [filter]).netlink, eth0, tap)).toThrow(message);
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
    ensureNoRedirect(netlink, eth0, [tap.index]);
    expect(told).toHaveLength(deletions);
  });
});
