import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type NetworkFeature, networkCapabilitiesRecord } from '../../proto/network-capabilities.ts';
import { runPaths } from '../../proto/paths.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { type CniNode, type CniPod, createCniNode } from '../support/cni-node.ts';

let node: CniNode;
let pod: CniPod;
beforeAll(async () => {
  node = await createCniNode();
  pod = await node.addPod('pod');
});
afterAll(() => node.close());

const recordPath = () => `${node.world.root}${runPaths(node.world.runDirectory).networkCapabilities}`;
beforeEach(() => rm(recordPath(), { force: true }));

const SUCCESS = { exitCode: 0, stdout: '' };
/** As a container engine asks: without a pod. */
const status = (config: object = {}, cniVersion = '1.1.0') =>
  pod.berth('STATUS', {
    env: { CNI_CONTAINERID: undefined, CNI_NETNS: undefined, CNI_IFNAME: undefined },
    config: { cniVersion, prevResult: undefined, ...config },
  });

async function leaveLacks(features: readonly NetworkFeature[], ageMs = 0, boot?: string): Promise<void> {
  const bootId = boot ?? (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const lacks = features.map((feature) => ({ feature, foundAtMs: Date.now() - ageMs }));
  await mkdir(`${node.world.root}${node.world.runDirectory}`, { recursive: true });
  await writeFile(recordPath(), networkCapabilitiesRecord.encode({ bootId, lacks }));
}

describe('STATUS', () => {
  it('is success where nothing is known', async () => {
    expect(await status()).toMatchObject(SUCCESS);
  });

  it.each<[NetworkFeature[], object, string]>([
    [['tun'], {}, 'the kernel lacks TAP interfaces (modprobe tun)'],
    [['redirect', 'ifb'], {}, 'the kernel lacks redirection of packets (modprobe sch_ingress cls_u32 act_mirred)'],
    [['macvtap'], { mode: 'macvtap' }, 'the kernel lacks macvtap interfaces'],
  ])('is code 50 where %j was found to be lacking, with %j', async (lacks, config, msg) => {
    await leaveLacks(lacks);
    expect(await status(config)).toMatchObject({
      exitCode: 1,
      answer: { code: 50, msg: expect.stringContaining(msg) },
    });
  });

  it.each<[string, () => Promise<void>, object]>([
    ['of what the mode does not need', () => leaveLacks(['macvtap', 'tbf']), {}],
    ['of what the other mode needs', () => leaveLacks(['tun', 'redirect']), { mode: 'macvtap' }],
    ['that is a minute old', () => leaveLacks(['tun'], 61_000), {}],
    ['of the time to come', () => leaveLacks(['tun'], -120_000), {}],
    ['of another boot', () => leaveLacks(['tun'], 0, 'before'), {}],
    ['where other pods need nothing of it', () => leaveLacks(['tun']), { when: { annotation: 'vm' } }],
    ['that cannot be read', () => writeFile(recordPath(), '{'), {}],
  ])('is success with a lack %s', async (_, leave, config) => {
    await leave();
    expect(await status(config)).toMatchObject(SUCCESS);
  });

  it('is success again once the doctor has tried it', async () => {
    await leaveLacks(['tun', 'redirect', 'macvtap']);
    expect(await status()).toMatchObject({ exitCode: 1, answer: { code: 50 } });
    // Without a guest nothing is booted. It finds that missing, and ends with 1.
    const doctor = [process.execPath, findPrograms().berth, 'doctor', '--guest', '/run/none'];
    await expect(node.run(...doctor)).rejects.toMatchObject({ exitCode: 1 });
    expect(await status()).toMatchObject(SUCCESS);
    await expect(readFile(recordPath())).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('goes by what ADD finds', async () => {
    await node.run('mount', '-t', 'tmpfs', 'none', '/dev/net');
    try {
      expect(await pod.berth('ADD')).toMatchObject({ exitCode: 1, answer: { code: 105 } });
      expect(await status()).toMatchObject({ exitCode: 1, answer: { code: 50 } });
    } finally {
      await node.run('umount', '/dev/net');
    }
    expect(await pod.berth('ADD')).toMatchObject({ exitCode: 0 });
    expect(await status()).toMatchObject(SUCCESS);
    await expect(readFile(recordPath())).rejects.toMatchObject({ code: 'ENOENT' });
    await pod.berth('DEL');
  });

  it('judges the configuration', async () => {
    expect(await status({ queues: 0 })).toMatchObject({
      answer: { code: 7, msg: expect.stringContaining('queues: ') },
    });
    expect(await status({ when: 1 })).toMatchObject({ answer: { code: 7 } });
    const misspelt = { code: 7, msg: expect.stringContaining('run_dir: unknown key; it is spelt runDir') };
    expect(await status({ run_dir: '/run/x' })).toMatchObject({ answer: misspelt });
    expect(await status({}, '1.0.0')).toMatchObject({ answer: { code: 1 } });
  });
});
