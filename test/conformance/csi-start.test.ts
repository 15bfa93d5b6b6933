import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FLAG_OPTIONS } from '../../csi/flags.ts';
import { VOLUME_FILES } from '../../proto/volume-spec.ts';
import { type CsiNode, type CsiProcess, createCsiNode } from '../support/csi-node.ts';

const writer = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

let node: CsiNode;
beforeEach(async () => {
  node = await createCsiNode();
});
afterEach(() => node.close());

function httpGet(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path, agent: false }, (response) => resolve(readText(response))).once('error', reject);
  });
}

describe('berth-csi', () => {
  it('explains every flag', async () => {
    const { exitCode, stdout } = await node.startToEnd('--help');
    expect(exitCode).toBe(0);
    const flags = Object.keys(FLAG_OPTIONS);
    for (const flag of flags) expect(stdout).toContain(`--${flag}`);
  });

  it('names a wrong flag and exits with 2', async () => {
    const { exitCode, stderr } = await node.startToEnd('--endpoint', 'tcp://x');
    expect(exitCode).toBe(2);
    expect(stderr).toBe('berth-csi: --endpoint is tcp://x, but must be unix:///PATH\nTry berth-csi --help.');
  });

  it('serves on a socket of mode 0600 and removes it when stopped', async () => {
    const driver = await node.start();
    expect((await stat(driver.socket)).mode & 0o777).toBe(0o600);
    expect(await driver.stop()).toBe(0);
    await expect(stat(driver.socket)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('ends when its helper process does, whose locks are free then', async () => {
    const driver = await node.start();
    await node.run('sh', '-c', 'kill -9 $(pidof berth-csi-host)');
    await driver.ended();
    expect(driver.log.join('\n')).toContain('ending at once: the helper process berth-csi-host has ended');
    const next = await node.start();
    expect(await next.stop()).toBe(0);
  });

  it('serves metrics of its verbs, volumes and pools', async () => {
    const path = join(node.scratch, 'metrics.sock');
    const driver = await node.start({ 'metrics-address': `unix://${path}` });
    const { volume } = await driver.client.call('Controller', 'CreateVolume', {
      name: 'measured',
      volume_capabilities: [writer],
    });
    const text = await httpGet(path, '/metrics');
    const ofVolume = `{volume_id="${volume.volume_id}",pool="main"}`;
    for (const line of [
      'berth_csi_rpc_total{rpc="CreateVolume",code="OK"} 1',
      `berth_csi_volume_capacity_bytes${ofVolume} ${1024 ** 3}`,
      `berth_csi_volume_allocated_bytes${ofVolume} 0`,
      `berth_csi_volume_abnormal${ofVolume} 0`,
      'berth_csi_pool_volumes{pool="main"} 1',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    await driver.stop();
  });

  it('says what of its publications does not fit together', async () => {
    const first = await node.start();
    const { volume_id } = (
      await first.client.call('Controller', 'CreateVolume', { name: 'odd', volume_capabilities: [writer] })
    ).volume;
    const target_path = await node.target('pod-odd');
    const publication = { volume_id, target_path, staging_target_path: '/s', volume_capability: writer };
    await first.client.call('Node', 'NodePublishVolume', publication);
    await first.stop();
    await node.run('umount', target_path);
    const second = await node.start();
    const warnings = second.log.filter((line) => line.includes('"level":"warn"'));
    expect(warnings).toEqual([expect.stringMatching('nothing stands at the target path .*pod-odd')]);
    await second.client.call('Node', 'NodePublishVolume', publication);
    expect(await node.mounts()).toHaveLength(1);
    await second.client.call('Node', 'NodeUnpublishVolume', publication);
    await second.stop();
  });

  it('serves nothing that another --node-id made, and says so', async () => {
    const first = await node.start();
    const made = await first.client.call('Controller', 'CreateVolume', {
      name: 'stays',
      volume_capabilities: [writer],
    });
    const { volume_id } = made.volume;
    await first.stop();
    const second = await node.start({ 'node-id': 'node-2' });
    expect(second.log.join('\n')).toContain('a pool has volumes or snapshots of another --node-id');
    expect((await second.client.call('Controller', 'ListVolumes')).entries).toEqual([]);
    await expect(second.client.call('Controller', 'DeleteVolume', { volume_id })).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
    await second.stop();
    const third = await node.start();
    expect(
      (await third.client.call('Controller', 'ListVolumes')).entries.map(({ volume }) => volume.volume_id),
    ).toContain(volume_id);
    await third.client.call('Controller', 'DeleteVolume', { volume_id });
    await third.stop();
  });

  it('takes the place of a server that was killed', async () => {
    const first = await node.start();
    await first.crash();
    expect((await stat(first.socket)).isSocket()).toBe(true);
    const second = await node.start();
    expect(await second.client.call('Identity', 'Probe')).toMatchObject({ ready: { value: true } });
    await second.stop();
  });

  it('touches no file that is not its socket', async () => {
    const path = join(node.scratch, 'file');
    await writeFile(path, 'data');
    await expect(node.start({ endpoint: `unix://${path}` })).rejects.toThrow('exists and is not a socket');
    expect(await readFile(path, 'utf8')).toBe('data');
  });
});

describe('a pool known by its name', () => {
  const empty = () =>
    rename(join(node.scratch, 'pool'), join(node.scratch, 'elsewhere')).then(() => mkdir(join(node.scratch, 'pool')));

  it('whose disk is not mounted is refused, and served again when it is', async () => {
    await (await node.start()).stop();
    await empty();
    await expect(node.start()).rejects.toThrow(
      /holds no pool, not the one that this driver knows.* is its disk mounted\?/,
    );
    await rm(join(node.scratch, 'pool'), { recursive: true });
    await rename(join(node.scratch, 'elsewhere'), join(node.scratch, 'pool'));
    await (await node.start()).stop();
  });

  it('of another driver is refused under a known name', async () => {
    await (await node.start()).stop();
    await empty();
    await rename(join(node.scratch, 'state'), join(node.scratch, 'state-1'));
    await (await node.start()).stop();
    await rm(join(node.scratch, 'state'), { recursive: true });
    await rename(join(node.scratch, 'state-1'), join(node.scratch, 'state'));
    await expect(node.start()).rejects.toThrow('holds another pool');
  });
});

describe('a second server', () => {
  let first: CsiProcess;
  beforeEach(async () => {
    first = await node.start();
    await mkdir(join(node.scratch, 'pool-2'));
  });
  afterEach(() => first.stop());

  const other = () => ({
    endpoint: `unix://${join(node.scratch, 'csi-2.sock')}`,
    'state-dir': join(node.scratch, 'state-2'),
    'run-dir': join(node.scratch, 'run-2'),
    pool: `main=image-file:${join(node.scratch, 'pool-2')}`,
  });
  const owner = /is in use by berth-csi of node node-1, process \d+, endpoint unix:.*csi\.sock/;

  it('is refused the directories, the pool and the socket of the first', async () => {
    await expect(node.start({ ...other(), 'state-dir': join(node.scratch, 'state') })).rejects.toThrow(owner);
    await expect(node.start({ ...other(), 'run-dir': node.runDirectory })).rejects.toThrow(owner);
    await expect(node.start({ ...other(), pool: `main=image-file:${node.pool}` })).rejects.toThrow(owner);
    await expect(node.start({ ...other(), endpoint: `unix://${first.socket}` })).rejects.toThrow(
      'another process serves',
    );
    expect(await first.client.call('Identity', 'Probe')).toMatchObject({ ready: { value: true } });
  });

  it('may have others', async () => {
    const second = await node.start(other());
    await second.stop();
  });
});

it('ends with its helper, whose locks are free then, and can be started again', async () => {
  const first = await node.start();
  const killed = await node.run('sh', '-c', 'kill -9 $(pidof berth-csi-host)');
  expect(killed).toMatchObject({ exitCode: 0 });
  await first.ended();
  expect(first.log.at(-1)).toContain('the helper process berth-csi-host has ended');
  const second = await node.start();
  expect(await second.client.call('Identity', 'Probe')).toMatchObject({ ready: { value: true } });
  await second.stop();
});

describe('a pool', () => {
  it('must be there, and on a file system that keeps data', async () => {
    await expect(node.start({ pool: 'main=image-file:/no/such' })).rejects.toThrow(
      /pool main: \/no\/such is not there; make it \("mkdir -p \/no\/such"\), or name another directory with --pool/,
    );
    const volatile = join(node.scratch, 'volatile');
    await mkdir(volatile);
    await node.run('mount', '-t', 'tmpfs', 'tmpfs', volatile);
    const pool = `main=image-file:${volatile}`;
    await expect(node.start({ pool })).rejects.toThrow(/pool main: .* is on tmpfs: it ends with the boot/);
    const driver = await node.start({ pool, 'allow-unfit-pool': '' });
    await driver.stop();
  });

  it('that is full refuses a new volume, and can still be emptied', async () => {
    const directory = join(node.scratch, 'small');
    const disk = join(node.scratch, 'disk');
    await mkdir(directory);
    const made = await node.run('mkfs.ext4', '-q', '-m', '0', disk, '64M');
    expect(made).toMatchObject({ exitCode: 0 });
    expect(await node.run('mount', '-o', 'loop', disk, directory)).toMatchObject({ exitCode: 0 });
    const driver = await node.start({ pool: `main=image-file:${directory}` });
    const create = (name: string) =>
      driver.client.call('Controller', 'CreateVolume', {
        name,
        capacity_range: { required_bytes: 16 * 1024 ** 2 },
        volume_capabilities: [writer],
      });
    const { volume_id } = (await create('first')).volume;
    const image = join(directory, 'volumes', volume_id, VOLUME_FILES.image);
    // The guest writes until the host has nothing left: every block, and every inode.
    await node.run(
      'sh',
      '-c',
      `dd if=/dev/zero of=${image} bs=1M conv=notrunc; dd if=/dev/zero of=${image} bs=1k seek=60000`,
    );
    await node.run('sh', '-c', `cd ${directory} && i=0; while mkdir full-$i 2>/dev/null; do i=$((i+1)); done`);
    expect((await node.run('stat', '-f', '-c', '%a', directory)).stdout).toBe('0');

    await expect(create('second')).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect((await node.run('ls', `${directory}/incoming`)).stdout).toBe('');
    await driver.client.call('Controller', 'DeleteVolume', { volume_id });
    expect((await node.run('ls', `${directory}/volumes`, `${directory}/trash`)).stdout).not.toContain(volume_id);
    expect((await create('second')).volume.volume_id).toContain('second');
    await driver.stop();
    await node.run('umount', directory);
  });
});
