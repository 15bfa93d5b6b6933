import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { networkAttachmentRecord } from '../../proto/network-attachment.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { type CniNode, type CniPod, createCniNode, recordedTap } from '../support/cni-node.ts';
import { holdTap } from '../support/tap-holder.ts';

const program = join(findPrograms().cniDirectory, 'berth');
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
const directory = () => `${node.world.root}${node.world.runDirectory}/networks`;
const pathOf = (name: string) => `${directory()}/net:${name}:eth0.json`;

/** As a container engine calls it, which knows of these pods; `config` goes over the rest. */
const gc = (caller: CniPod, valid: readonly CniPod[], config: object = {}) =>
  caller.berth('GC', {
    env: { CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined },
    config: {
      cniVersion: '1.1.0',
      prevResult: undefined,
      'cni.dev/valid-attachments': valid.map(({ name }) => ({ containerID: name, ifname: 'eth0' })),
      ...config,
    },
  });

async function addWired(name: string): Promise<CniPod> {
  const pod = await node.addPod(name);
  expect(await pod.berth('ADD')).toMatchObject({ exitCode: 0 });
  return pod;
}

async function changeRecord(name: string, change: object): Promise<void> {
  const record = networkAttachmentRecord.decode(await readFile(pathOf(name), 'utf8'), name);
  await writeFile(pathOf(name), networkAttachmentRecord.encode({ ...record, ...change }));
}

describe('GC', () => {
  it('takes back what is stale, and leaves what is valid', async () => {
    const [valid, stale, gone] = [await addWired('valid'), await addWired('stale'), await addWired('gone')];
    await node.removeNetns(gone);
    const before = await valid.remains();
    expect(await gc(valid, [valid])).toMatchObject(SUCCESS);
    expect(await valid.remains()).toEqual(before);
    expect(await stale.remains()).toEqual([]);
    expect((await stale.tools.qdiscs('eth0')).map(({ kind }) => kind)).not.toContain('ingress');
    expect(await node.records()).toEqual(['net:valid:eth0.json']);
    // An engine's DEL may still come, and ADD again.
    expect(await stale.berth('DEL')).toMatchObject(SUCCESS);
    expect(await stale.berth('ADD')).toMatchObject({ exitCode: 0 });
    expect(await gc(valid, [valid, stale])).toMatchObject(SUCCESS);
    expect(await node.records()).toHaveLength(2);
    expect(await gc(valid, [])).toMatchObject(SUCCESS);
    for (const pod of [valid, stale]) expect(await pod.remains()).toEqual([]);
  });

  it.each([
    ['by the old key', { 'cni.dev/valid-attachments': undefined, 'cni.dev/attachments': [] }],
    ['when the list is null, as Go writes an empty one', { 'cni.dev/valid-attachments': null }],
  ])('knows what is stale %s', async (_, config) => {
    const pod = await addWired(`listed-${Object.keys(config).length}`);
    expect(await gc(pod, [pod], config)).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual([]);
  });

  it('goes on without keys of ours that have come to be wrong', async () => {
    const pod = await addWired('misspelt');
    const { exitCode, stderr } = await gc(pod, [], { logLevel: 'loud', run_dir: '/run/elsewhere' });
    expect({ exitCode, remains: await pod.remains() }).toEqual({ exitCode: 0, remains: [] });
    expect(stderr.split('\n').map((line) => JSON.parse(line).problem)).toEqual([
      expect.stringContaining('run_dir: unknown key; it is spelt runDir'),
      expect.stringContaining('logLevel: '),
    ]);
  });

  it('takes nothing where nobody says what is valid', async () => {
    const pod = await addWired('unsaid');
    const before = await pod.remains();
    const config = { 'cni.dev/valid-attachments': undefined };
    expect(await gc(pod, [], config)).toMatchObject({ exitCode: 1, answer: { code: 7 } });
    expect(await pod.remains()).toEqual(before);
    await pod.berth('DEL');
  });

  it("leaves another network's, though its name begins alike", async () => {
    const pod = await node.addPod('other-network');
    const config = { name: 'net.2' };
    await pod.berth('ADD', { config });
    const before = await pod.remains();
    expect(await gc(pod, [])).toMatchObject(SUCCESS);
    expect(await pod.remains()).toEqual(before);
    expect(await node.records()).toEqual(['net.2:other-network:eth0.json']);
    await pod.berth('DEL', { config });
    expect(await pod.remains()).toEqual([]);
  });

  it.each([
    ['another namespace is now where one was', { netnsId: '4:1' }],
    ['the record is of another boot', { bootId: 'before' }],
  ])('enters no namespace when %s', async (what, change) => {
    const pod = await addWired(`not-entered-${what.length}`);
    await changeRecord(pod.name, change);
    expect(await gc(pod, [])).toMatchObject(SUCCESS);
    expect(await node.records()).toEqual([]);
    expect(await pod.remains()).toHaveLength(2);
    await pod.berth('DEL');
    expect(await pod.remains()).toEqual([]);
  });

  it('goes on after what it cannot clear, and reports it', async () => {
    const pods = [await addWired('a-stale'), await addWired('z-stale')];
    await writeFile(pathOf('k-rubbish'), '{');
    await writeFile(pathOf('l-later'), '{"v":99}');
    const called = await gc(pods[0] as CniPod, []);
    expect(called).toMatchObject({ exitCode: 1, answer: { cniVersion: '1.1.0', code: 6 } });
    expect(called.stdout).toMatch(
      /not cleared: net:k-rubbish:eth0: .*; end the pod, then remove the file; net:l-later:eth0: .*version 99/,
    );
    for (const pod of pods) expect(await pod.remains()).toEqual([]);
    expect(await node.records()).toEqual(['net:k-rubbish:eth0.json', 'net:l-later:eth0.json']);
    await node.run('sh', '-c', `rm ${node.world.runDirectory}/networks/*`);
  });

  it('takes nothing from a VMM, clears the others, and says so', async () => {
    const [held, stale] = [await addWired('held'), await addWired('not-held')];
    const before = await held.remains();
    const { name } = recordedTap(await held.record());
    const holder = await holdTap(held.prefix, name, 1);
    try {
      const msg = `not cleared: net:held:eth0: a VMM has ${name} open`;
      expect(await gc(held, [])).toMatchObject({
        exitCode: 1,
        answer: { code: 11, msg: expect.stringContaining(msg) },
      });
      expect(await held.remains()).toEqual(before);
      expect(await stale.remains()).toEqual([]);
    } finally {
      await holder.release();
    }
    expect(await gc(held, [])).toMatchObject(SUCCESS);
    expect(await held.remains()).toEqual([]);
  });

  it('finds a VMM whose namespace no path leads to any more', async () => {
    const [pathless, caller] = [await addWired('pathless'), await addWired('caller')];
    const { name } = recordedTap(await pathless.record());
    const holder = await holdTap(pathless.prefix, name, 1);
    try {
      await node.removeNetns(pathless);
      const msg = `not cleared: net:pathless:eth0: a VMM has ${name} open`;
      expect(await gc(caller, [])).toMatchObject({ answer: { code: 11, msg: expect.stringContaining(msg) } });
      expect(await node.records()).toEqual(['net:pathless:eth0.json']);
    } finally {
      await holder.release();
    }
    expect(await gc(caller, [])).toMatchObject(SUCCESS);
  });

  it('leaves the namespace of another alone that has come to have the number of one', async () => {
    const heir = await addWired('heir');
    const path = pathOf('heir');
    const stale = {
      ...JSON.parse(await readFile(path, 'utf8')),
      containerId: 'former',
      netnsPath: '/run/netns/former',
    };
    await writeFile(pathOf('former'), JSON.stringify(stale));
    const holder = await holdTap(heir.prefix, recordedTap(await heir.record()).name, 1);
    try {
      expect(await gc(heir, [heir])).toMatchObject(SUCCESS);
      expect(await node.records()).toEqual(['net:heir:eth0.json']);
      expect(await heir.berth('CHECK')).toMatchObject({ exitCode: 0 });
    } finally {
      await holder.release();
    }
    await heir.berth('DEL');
  });

  it('needs no more descriptors for many that a VMM has', async () => {
    const names = ['held-1', 'held-2', 'held-3'];
    const pods = await Promise.all(names.map(addWired));
    const holders = await Promise.all(
      pods.map(async (pod) => holdTap(pod.prefix, recordedTap(await pod.record()).name, 1)),
    );
    try {
      const input = JSON.stringify({ cniVersion: '1.1.0', name: 'net', 'cni.dev/valid-attachments': [] });
      const script = `ulimit -n 5; printf %s '${input}' | CNI_COMMAND=GC ${program} || true`;
      const { code, msg } = JSON.parse(await node.run('sh', '-c', script)) as { code: number; msg: string };
      expect(code, msg).toBe(11);
      for (const name of names) expect(msg).toContain(`net:${name}:eth0: a VMM has berth2 open`);
    } finally {
      for (const holder of holders) await holder.release();
    }
    expect(await gc(pods[0] as CniPod, [])).toMatchObject(SUCCESS);
  });

  it('removes what a killed ADD was writing', async () => {
    const pod = await node.addPod('half');
    await mkdir(directory(), { recursive: true });
    await writeFile(`${pathOf('half')}.0123456789ab.tmp`, '{');
    expect(await gc(pod, [])).toMatchObject(SUCCESS);
    expect(await node.records()).toEqual([]);
  });

  it('takes the word to Kata back', async () => {
    const pod = await node.addPod('kata');
    await pod.berth('ADD', { config: { kataDanDir: '/run/dans' } });
    expect(await node.run('ls', '/run/dans')).toBe('kata.json');
    expect(await gc(pod, [])).toMatchObject(SUCCESS);
    expect(await node.run('ls', '/run/dans')).toBe('');
  });
});
