import { describe, expect, it } from 'vitest';
import { findLikelyMisspelt } from './likely-misspelt.ts';

describe('a key', () => {
  it.each([
    ['quues', 'queues'],
    ['queue', 'queues'],
    ['qeueus', 'queues'],
    ['tapOwnr', 'tapOwner'],
    ['tap owner', 'tapOwner'],
    ['tapGruop', 'tapGroup'],
    ['kataDan', 'kataDanDir'],
    ['runDirectory', 'runDir'],
    ['macvtap', 'macvtapMode'],
    ['moed', 'mode'],
    ['dailect', 'dialect'],
    ['allIp', 'allIps'],
    ['whan', 'when'],
  ])('%j may be meant for %j', (key, meant) => {
    expect(findLikelyMisspelt({ [key]: 1 })).toEqual([{ key, meant }]);
  });

  it.each([
    ...['cniVersion', 'name', 'type', 'args', 'capabilities', 'runtimeConfig', 'prevResult', 'ipam', 'ipMasq', 'dns'],
    ...['runDir', 'logLevel', 'mode', 'queues', 'when'],
    ...['mtu', 'master', 'bridge', 'vlan', 'ranges', 'delegate', 'cni.dev/valid-attachments', 'modus', 'x', ''],
  ])('%j is as it should be, or of others', (key) => {
    expect(findLikelyMisspelt({ [key]: 1 })).toEqual([]);
  });

  it('is found among others', () => {
    expect(findLikelyMisspelt({ name: 'a', quues: 1, mode: 'tc', loglevl: 'info' }).map(({ key }) => key)).toEqual([
      'quues',
      'loglevl',
    ]);
  });
});
