import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CniNode, type CniPod, createCniNode, recordedTap } from '../support/cni-node.ts';
import { holdTap } from '../support/tap-holder.ts';

let node: CniNode;
beforeAll(async () => {
  node = await createCniNode();
});
afterAll(async () => {
  const left = await node.records();
  await node.close();
  expect(left).toEqual([]);
});

const SUCCESS = { exitCode: 0, stdout: '' };
const recordPath = (pod: CniPod): string =>
  `${node.world.root}${node.world.runDirectory}/networks/net:${pod.name}:eth0.json`;
const ingressOf = async (pod: CniPod): Promise<string[]> =>
  (await pod.tools.qdiscs('eth0')).map(({ kind }) => kind).filter((kind) => kind === 'ingress' || kind === 'clsact');

async function addWired(name: string): Promise<CniPod & { readonly tap: string }> {
  const pod = await node.addPod(name);
  expect(await pod.berth('ADD')).toMatchObject({ exitCode: 0 });
  return { ...pod, tap: recordedTap(await pod.record()).name };
}

describe('DEL', () => {
  it('of an ADD that never was is success', async () => {
    const pod = await node.addPod('never');
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await ingressOf(pod)).toEqual([]);
  });

  it.each([
    ['prevResult', { config: { prevResult: undefined } }],
    ['a prevResult that makes sense', { config: { prevResult: 7 } }],
    ['CNI_NETNS, which the record knows', { env: { CNI_NETNS: undefined } }],
    ['a CNI_NETNS that is there', { env: { CNI_NETNS: '/run/netns/nowhere' } }],
    ['a CNI_NETNS that is a namespace', { env: { CNI_NETNS: '/etc/hostname' } }],
    ['a CNI_NETNS that can be', { env: { CNI_NETNS: `/${'a'.repeat(256)}` } }],
  ])('does without %s', async (what, change) => {
    const pod = await addWired(`without-${what.replaceAll(/\W+/g, '-')}`);
    expect(await pod.berth('DEL', change)).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
    expect(await ingressOf(pod)).toEqual([]);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ tap_owner: 7 }, 'tap_owner: unknown key; it is spelt tapOwner'],
    [{ RunDir: '/run/elsewhere' }, 'RunDir: unknown key; it is spelt runDir'],
    [{ logLevel: 'loud' }, 'logLevel: '],
    [{ kataDanDir: 'relative' }, 'kataDanDir: must be an absolute path'],
  ])('goes on without a key of ours that has come to be wrong: %j', async (config, words) => {
    const pod = await node.addPod(`wrong-${Object.keys(config)}`.toLowerCase());
    expect(await pod.berth('ADD')).toMatchObject({ exitCode: 0 });
    const refused = { exitCode: 1, answer: { code: 7, msg: expect.stringContaining(words) } };
    for (const verb of ['ADD', 'CHECK']) expect(await pod.berth(verb, { config })).toMatchObject(refused);
    const { exitCode, stdout, stderr } = await pod.berth('DEL', { config });
    expect({ exitCode, stdout, remains: await pod.remains() }).toEqual({ exitCode: 0, stdout: '', remains: [] });
    expect(JSON.parse(stderr)).toMatchObject({ level: 'warn', problem: expect.stringContaining(words) });
  });

  it('does without the namespace', async () => {
    const pod = await addWired('gone');
    await node.removeNetns(pod);
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await node.records()).toEqual([]);
  });

  it('does without the interface, which a plugin before has deleted', async () => {
    const pod = await addWired('no-eth0');
    await pod.tools.ip('link', 'delete', 'eth0');
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
  });

  it('finds the interface by its index when it was renamed', async () => {
    const pod = await addWired('renamed');
    await pod.tools.ip('link', 'set', 'eth0', 'down');
    await pod.tools.ip('link', 'set', 'eth0', 'name', 'other');
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await pod.tools.ingressFilters('other')).toEqual([]);
    expect(await pod.remains()).toEqual([]);
  });

  it('takes the redirect away though its TAP is gone, which would eat every packet', async () => {
    const pod = await addWired('no-tap');
    await pod.tools.ip('link', 'delete', pod.tap);
    expect(await pod.tools.ingressFilters('eth0')).toHaveLength(1);
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
    expect(await ingressOf(pod)).toEqual([]);
  });

  it('does so without a record too', async () => {
    const pod = await addWired('no-tap-no-record');
    await pod.tools.ip('link', 'delete', pod.tap);
    await rm(recordPath(pod));
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
  });

  it.each([
    ['the record is gone', (path: string) => rm(path)],
    ['the record is rubbish', (path: string) => writeFile(path, '{')],
    ['the record is of a version to come', (path: string) => writeFile(path, '{"v":99}')],
  ])('goes by the alias when %s, and leaves a qdisc that may be of others', async (reason, spoil) => {
    const pod = await addWired(reason.replaceAll(' ', '-'));
    await spoil(recordPath(pod));
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
    expect(await ingressOf(pod)).toEqual(['ingress']);
  });

  it('goes by the record when the alias is gone', async () => {
    const pod = await addWired('no-alias');
    await pod.tools.ip('link', 'set', pod.tap, 'alias', '');
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
  });

  it('goes by name and redirect when both are gone', async () => {
    const pod = await addWired('only-name');
    await pod.tools.ip('link', 'set', pod.tap, 'alias', '');
    await rm(recordPath(pod));
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
  });

  it('leaves a TAP of that name alone to which no redirect of ours leads', async () => {
    const pod = await node.addPod('foreign-tap');
    const name = `berth${(await pod.tools.link('eth0'))?.ifindex}`;
    await pod.tools.ip('tuntap', 'add', 'dev', name, 'mode', 'tap');
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await pod.tools.link(name)).toBeDefined();
  });

  it('leaves the namespace of another alone that its path has come to name', async () => {
    const other = await addWired('other');
    const pod = await addWired('moved');
    expect(await pod.berth('DEL', { env: { CNI_NETNS: other.netns } })).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
    expect(await other.tools.link(other.tap)).toBeDefined();
    expect(await other.tools.ingressFilters('eth0')).toHaveLength(1);
    expect(await ingressOf(other)).toEqual(['ingress']);
    await other.berth('DEL');
    expect(await other.remains()).toEqual([]);
  });

  it('leaves a qdisc of ours that has come to serve others', async () => {
    const pod = await addWired('shared-qdisc');
    const filter = [
      'filter',
      'add',
      'dev',
      'eth0',
      'ingress',
      'protocol',
      'ip',
      'pref',
      '7',
      'u32',
      'match',
      'u8',
      '0',
      '0',
    ];
    await pod.run('tc', ...filter, 'action', 'mirred', 'egress', 'mirror', 'dev', 'lo');
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual(['filter of priority 7']);
    expect(await ingressOf(pod)).toEqual(['ingress']);
  });

  it.each([1, 2])('takes nothing from a VMM, says so, and can be repeated: %i queues', async (queues) => {
    const pod = await node.addPod(`held-${queues}`);
    const change = { config: { queues } };
    await pod.berth('ADD', change);
    const { name } = recordedTap(await pod.record());
    const before = await pod.remains();
    const holder = await holdTap(pod.prefix, name, queues);
    const refused = { exitCode: 1, answer: { code: 11, msg: expect.stringContaining(`a VMM has ${name} open`) } };
    try {
      expect(await pod.berth('DEL')).toMatchObject(refused);
      expect(await pod.remains()).toEqual(before);
      expect(await pod.record()).toMatchObject({ state: 'ready' });
      // An ADD that would have to make it anew does not either; one that would not changes nothing.
      expect(await pod.berth('ADD', { config: { queues: 3 - queues } })).toMatchObject(refused);
      expect(await pod.berth('ADD', change)).toMatchObject({ exitCode: 0 });
      expect(await pod.remains()).toEqual(before);
    } finally {
      await holder.release();
    }
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
  });

  it('finds a VMM whose namespace no path leads to any more', async () => {
    const pod = await addWired('pathless');
    const holder = await holdTap(pod.prefix, pod.tap, 1);
    const held = { exitCode: 1, answer: { code: 11, msg: expect.stringContaining(`a VMM has ${pod.tap} open`) } };
    try {
      await node.removeNetns(pod);
      expect(await pod.berth('DEL')).toMatchObject(held);
      expect(await pod.berth('DEL', { env: { CNI_NETNS: undefined } })).toMatchObject(held);
      expect(await pod.record()).toMatchObject({ state: 'ready' });
    } finally {
      await holder.release();
    }
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    expect(await node.records()).toEqual([]);
  });

  it('leaves the namespace of another alone that has come to have its number', async () => {
    const pod = await addWired('former');
    const record = await readFile(recordPath(pod), 'utf8');
    expect(await pod.berth('DEL')).toMatchObject(SUCCESS);
    const heir = await addWired('heir');
    const { netnsId = '' } = (await heir.record()) ?? {};
    const stale = { ...JSON.parse(record), netnsId, netnsPath: '/run/netns/nowhere' };
    await writeFile(recordPath(pod), JSON.stringify(stale));
    const daemon = await holdTap(heir.prefix, heir.tap, 1);
    try {
      expect(await pod.berth('DEL', { env: { CNI_NETNS: undefined } })).toMatchObject(SUCCESS);
      expect(await node.records()).toEqual(['net:heir:eth0.json']);
      expect(await heir.berth('CHECK')).toMatchObject({ exitCode: 0 });
    } finally {
      await daemon.release();
    }
    await heir.berth('DEL');
  });

  it('waits for a VMM that is about to end', async () => {
    const pod = await addWired('ending');
    const holder = await holdTap(pod.prefix, pod.tap, 1);
    const [deleted] = await Promise.all([pod.berth('DEL'), holder.release()]);
    expect(deleted).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
  });
});
