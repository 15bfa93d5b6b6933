import { describe, expect, it } from 'vitest';
import { judgeTrials, toNetworkFeatures } from './kernel.ts';

const ALL = ['veth', 'tap', 'ingress', 'u32', 'bpf', 'matchall', 'macvtap', 'tbf', 'ifb'];
const without = (...absent: string[]): string =>
  ALL.map((name) => (absent.includes(name) ? `no ${name} Error: what ${name} said.` : `ok ${name}`)).join('\n');
const statusesOf = (output: string): string[] => judgeTrials(output).map(({ status }) => status);

describe('trials of the kernel', () => {
  it.each([
    ['all', without(), ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok']],
    ['one classifier of three', without('u32', 'matchall'), ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok']],
    ['no classifier', without('u32', 'bpf', 'matchall'), ['ok', 'ok', 'ok', 'missing', 'ok', 'ok', 'ok']],
    ['what only some need', without('macvtap', 'tbf', 'ifb'), ['ok', 'ok', 'ok', 'ok', 'note', 'note', 'note']],
    ['nothing', '', ['missing', 'missing', 'missing', 'missing', 'note', 'note', 'note']],
  ])('%s', (_, output, expected) => {
    expect(statusesOf(output)).toEqual(expected);
  });

  it('name the module of what does not work, in the words of the tool, and what was not even tried', () => {
    const findings = judgeTrials('no u32 Error: Specified filter type not found.\n');
    expect(findings[3]).toMatchObject({
      what: 'no redirection of packets (u32, bpf or matchall with mirred): Error: Specified filter type not found.',
      mend: 'modprobe -a cls_u32 act_mirred',
    });
    expect(findings[4]).toMatchObject({ what: expect.stringContaining('not tried'), mend: 'modprobe macvtap' });
  });

  it.each([
    [without(), []],
    [without('u32', 'bpf'), []],
    [without('u32', 'bpf', 'matchall'), ['redirect']],
    [without('ingress'), ['redirect']],
    [without('tap', 'macvtap', 'tbf', 'ifb'), ['tun', 'macvtap', 'tbf', 'ifb']],
  ])('tell STATUS what is lacking: %#', (output, expected) => {
    const lacks = Object.entries(toNetworkFeatures(output)).filter(([, isPresent]) => !isPresent);
    expect(lacks.map(([feature]) => feature)).toEqual(expected);
  });
});
