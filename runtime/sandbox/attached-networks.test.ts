import { describe, expect, it } from 'vitest';
import { parseCniContainerId, parseIfName, parseNetworkName } from '../../proto/ids.ts';
import {
  type NetworkAttachment,
  networkAttachmentKey,
  networkAttachmentRecord,
} from '../../proto/network-attachment.ts';
import { runPaths } from '../../proto/paths.ts';
import { silentLog } from '../system/log.ts';
import type { System } from '../system/port.ts';
import { readNetworks } from './attached-networks.ts';

const PATH = '/run/netns/a';
const NETNS = { fd: 9, id: '4:100', close: () => {} };
const run = runPaths('/run/berth');
const TAP = { kind: 'tap', name: parseIfName('tap0'), queues: 1 } as const;

const attachment = (network: string, netnsPath: string, netnsId: string, containerId = 'c'): NetworkAttachment => ({
  state: 'wiring',
  network: parseNetworkName(network),
  containerId: parseCniContainerId(containerId),
  ifName: parseIfName('eth0'),
  netnsPath,
  netnsId,
  bootId: 'b',
  ifIndex: 2,
  device: TAP,
  ownsIngress: true,
});

const aliasOf = (network: string): string => `berth:${network}:c:eth0`;

function read(
  attachments: readonly NetworkAttachment[],
  alias: string | undefined,
  unreadable: readonly string[] = [],
) {
  const files = new Map(
    attachments.map((one) => [`${networkAttachmentKey(one)}.json`, networkAttachmentRecord.encode(one)]),
  );
  const system = {
    list: async () => [...files.keys(), ...unreadable.map((network) => `${network}:c:eth0.json`), 'x.json.0a1b.tmp'],
    readFile: async (path: string) =>
      new TextEncoder().encode(files.get(path.slice(run.networks.length + 1)) ?? 'rubbish'),
  };
  const aliases = new Map(alias === undefined ? [] : [['tap0', alias]]);
  const host = { system: system as unknown as System, readLinkAliases: () => aliases };
  return readNetworks(host, run, { path: PATH, netns: NETNS }, silentLog);
}

describe('networks of a namespace', () => {
  it('are those of its identity, whatever path they were wired by', async () => {
    const found = await read(
      [attachment('one', '/proc/7/ns/net', '4:100'), attachment('other', '/run/netns/b', '4:200')],
      aliasOf('one'),
    );
    expect(found.map(({ network }) => network)).toEqual(['one']);
  });

  it('are those of the container whose TAP is here, not of one whose namespace had the inode before', async () => {
    const former = attachment('one', '/run/netns/former', '4:100', 'former');
    const found = await read([former, attachment('one', PATH, '4:100')], aliasOf('one'));
    expect(found.map(({ containerId }) => containerId)).toEqual(['c']);
    await expect(read([former], aliasOf('one'))).rejects.toMatchObject({ code: 'precondition' });
  });

  it('are refused where one of a container is gone, though another is here', async () => {
    const second = { ...attachment('two', PATH, '4:100'), device: { ...TAP, name: parseIfName('tap1') } };
    const reading = read([attachment('one', PATH, '4:100'), second], aliasOf('one'));
    await expect(reading).rejects.toMatchObject({ message: expect.stringContaining('TAP tap1 is gone') });
  });

  it('are not in the way of a record of another pod that cannot be read', async () => {
    const found = await read([attachment('one', PATH, '4:100')], aliasOf('one'), ['broken']);
    expect(found.map(({ network }) => network)).toEqual(['one']);
  });

  it('are refused if it is theirs: its TAP is there', async () => {
    await expect(read([], aliasOf('broken'), ['broken'])).rejects.toMatchObject({ code: 'malformed' });
  });

  it.each([
    ['none at all', [], 'has no interface that berth wired'],
    ['another namespace only', [attachment('other', '/run/netns/b', '4:200')], 'has no interface that berth wired'],
    ['a former namespace at its path', [attachment('one', '/run/netns/a', '4:99')], 'is another namespace now'],
  ])('of %s are a refusal', async (_what, attachments, message) => {
    await expect(read(attachments, aliasOf('one'))).rejects.toMatchObject({
      code: 'precondition',
      message: expect.stringContaining(message),
      fields: { netnsPath: PATH },
    });
  });

  it.each([
    ['gone', undefined, 'TAP tap0 is gone'],
    ['of another maker', '', 'not the tap that berth made'],
    ['of another attachment', aliasOf('two'), 'not the tap that berth made'],
  ])('whose TAP is %s are a refusal', async (_what, alias, message) => {
    const reading = read([attachment('one', PATH, '4:100')], alias);
    await expect(reading).rejects.toMatchObject({ code: 'precondition', message: expect.stringContaining(message) });
  });
});
