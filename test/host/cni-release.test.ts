import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packCni } from '../../deploy/setup/pack-cni.ts';
import { findPrograms } from '../../runtime/cli/programs.ts';
import { type CniNode, type CniPod, createCniNode } from '../support/cni-node.ts';

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

describe('its examples', () => {
  it.each(['aws-vpc', 'bridge', 'calico', 'cilium', 'macvlan', 'ptp'])('%s has the plugin last', async (name) => {
    const list = JSON.parse(await readFile(`deploy/cni/${name}.conflist`, 'utf8'));
    expect(list).toMatchObject({ cniVersion: expect.any(String), name: expect.any(String) });
    expect(list.plugins.length).toBeGreaterThan(1);
    expect(list.plugins.at(-1)).toMatchObject({ type: 'berth' });
  });
});
