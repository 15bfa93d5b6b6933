import { chmod, copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addNetns, netnsPath } from '../../deploy/demo/netns.ts';
import { packCni } from '../../deploy/setup/pack-cni.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { type CniNode, type CniPod, createCniNode } from '../support/cni-node.ts';
import { needGoTool } from '../support/go-tool.ts';
import { createWorld } from '../support/world.ts';

const plugin = join(findPrograms().cniDirectory, 'berth');
let node: CniNode;
let directory: string;
beforeAll(async () => {
  // The program that calls the plugin: chroot ROOT berth.
  node = await createCniNode('/usr/sbin/chroot');
  directory = await mkdtemp(join(tmpdir(), 'berth-release-test-'));
});
afterAll(async () => {
  await node.close();
  await rm(directory, { recursive: true });
});

describe('the released plugin', () => {
  it('is the same bytes each time', async () => {
    const first = await packCni(plugin, join(directory, 'first'));
    const umask = process.umask(0o077);
    const second = await packCni(plugin, join(directory, 'second')).finally(() => process.umask(umask));
    expect(second.sha256).toBe(first.sha256);
    expect(await readFile(second.path)).toEqual(await readFile(first.path));
  });

  it('works where there is nothing else', async () => {
    const { path } = await packCni(plugin, directory);
    const root = join(node.world.scratch, 'root');
    await mkdir(root);
    await chmod(root, 0o755);
    await execa('tar', ['--extract', '--gzip', '--file', path, '--directory', root, '--strip-components=1']);
    const { stdout } = await execa('find', [root, '-type', 'f', '-printf', '%P %m\n']);
    expect(stdout.split('\n').sort()).toEqual([
      'LICENSE 644',
      'NOTICE 644',
      'README.md 644',
      'berth 755',
      ...['aws-vpc', 'bridge', 'calico', 'cilium', 'macvlan', 'ptp'].map((name) => `conflists/${name}.conflist 644`),
    ]);
    const pod = await node.addPod('pod');
    for (const shared of ['/proc', '/dev/net', '/run']) {
      await node.run('mkdir', '-p', `${root}${shared}`);
      await node.run('mount', '--rbind', shared, `${root}${shared}`);
    }
    const berth = (command: string): ReturnType<CniPod['berth']> => pod.berth(command, { args: [root, '/berth'] });
    expect(await berth('VERSION')).toMatchObject({ exitCode: 0, answer: { cniVersion: '1.0.0' } });
    expect(await berth('ADD')).toMatchObject({ exitCode: 0, answer: { interfaces: expect.any(Array) } });
    expect(await pod.record()).toMatchObject({ state: 'ready' });
    expect(await berth('DEL')).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await pod.remains()).toEqual([]);
  });
});

/** By what their plugins need of the node beside. */
const RUNNABLE: Readonly<Record<string, string>> = {
  bridge: 'true',
  ptp: 'true',
  macvlan: 'ip link add eth0 type veth peer name uplink && ip link set eth0 up && ip link set uplink up',
};

describe('its examples', () => {
  it.for(Object.keys(RUNNABLE))('%s works as it is, run by libcni', async (name, context) => {
    const cnitool = await needGoTool('cnitool', context);
    const path = [dirname(await needGoTool('ptp', context)), dirname(plugin)].join(':');
    const world = await createWorld();
    try {
      await world.exec('sh', '-c', `mkdir -p /var/lib/cni && mount -t tmpfs cni /var/lib/cni; ${RUNNABLE[name]}`);
      await addNetns('vm', world.prefix);
      const lists = join(world.scratch, 'net.d');
      await mkdir(lists);
      await copyFile(`deploy/cni/${name}.conflist`, join(lists, `10-${name}.conflist`));
      const env = ['env', `CNI_PATH=${path}`, `NETCONFPATH=${lists}`];
      const cni = (verb: string) => world.exec(...env, cnitool, verb, name, netnsPath('vm'));
      const { interfaces } = JSON.parse(await cni('add')) as {
        readonly interfaces: readonly { readonly name: string }[];
      };
      expect(interfaces.at(-1)?.name).toMatch(/^berth\d+$/);
      await cni('check');
      await cni('del');
      expect(await world.exec('ls', `${world.runDirectory}/networks`)).toBe('');
    } finally {
      await world.close();
    }
  });

  it.each(['aws-vpc', 'bridge', 'calico', 'cilium', 'macvlan', 'ptp'])('%s has the plugin last', async (name) => {
    const list = JSON.parse(await readFile(`deploy/cni/${name}.conflist`, 'utf8'));
    expect(list).toMatchObject({ cniVersion: expect.any(String), name: expect.any(String) });
    expect(list.plugins.length).toBeGreaterThan(1);
    expect(list.plugins.at(-1)).toMatchObject({ type: 'berth' });
  });
});
