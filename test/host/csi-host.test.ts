import { chmod, mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoopDevice } from '../../csi/host-calls.ts';
import { type HostProcess, startHostProcess } from '../../csi/host-process.ts';
import { parseMountinfo } from '../../runtime/system/node/mounts.ts';
import { buildCsiHost } from '../support/csi-host.ts';
import { createWorld, type World } from '../support/world.ts';

/** berth-csi-host as berth-csi has it, in a mount namespace of its own. */
let world: World;
let wrapper: string;
let host: HostProcess;

beforeAll(async () => {
  world = await createWorld();
  wrapper = join(world.scratch, 'berth-csi-host');
  const words = [...world.prefix, await buildCsiHost()].map((word) => `'${word}'`);
  await writeFile(wrapper, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`);
  await chmod(wrapper, 0o755);
  host = await startHostProcess(wrapper);
});

afterAll(async () => {
  await host?.close();
  await world?.close();
});

const mounts = async () => parseMountinfo(await readFile(`${world.root}/proc/1/mountinfo`, 'utf8'));
const MS_RDONLY = 1;

/** An empty file, or a sparse one. */
async function makeFile(name: string, sizeBytes = 0): Promise<string> {
  const path = join(world.scratch, name);
  const file = await open(path, 'w');
  await file.truncate(sizeBytes);
  await file.close();
  return path;
}

describe('mounts', () => {
  test('are made with flags and data, and go layer by layer', async () => {
    const target = join(world.scratch, 'target');
    await mkdir(target);
    for (const source of ['berth:first', 'berth:second']) {
      await host.calls.mount({ source, target, fsType: 'tmpfs', flags: MS_RDONLY, data: 'size=4k,mode=0555' });
    }
    const here = (await mounts()).filter(({ mountPoint }) => mountPoint === target);
    expect(here.map(({ source }) => source)).toEqual(['berth:first', 'berth:second']);
    expect(here[0]?.options).toContain('ro');
    await host.calls.unmount(target);
    expect((await mounts()).filter(({ mountPoint }) => mountPoint === target)).toHaveLength(1);
    await host.calls.unmount(target);
    await expect(host.calls.unmount(target)).rejects.toMatchObject({ code: 'invalid', fields: { errno: 'EINVAL' } });
  });

  test('are refused with path and errno', async () => {
    const target = join(world.scratch, 'nowhere');
    const request = { source: 'x', target, fsType: 'tmpfs', flags: 0, data: '' };
    await expect(host.calls.mount(request)).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringContaining(target),
      fields: { path: target, errno: 'ENOENT' },
    });
  });
});

describe('locks', () => {
  test('exclude others, come back, and are free when the process has ended', async () => {
    const path = await makeFile('lock');
    const other = await startHostProcess(wrapper);
    const lock = await host.calls.tryLock(path);
    expect(await other.calls.tryLock(path)).toBeUndefined();
    expect(await host.calls.tryLock(path)).toBeUndefined();
    await lock?.release();
    expect(await other.calls.tryLock(path)).toBeDefined();
    await other.close();
    const again = await host.calls.tryLock(path);
    expect(again).toBeDefined();
    await again?.release();
  });

  test('of a file that is not there is not found', async () => {
    const path = join(world.scratch, 'no-lock');
    await expect(host.calls.tryLock(path)).rejects.toMatchObject({ code: 'not-found', fields: { errno: 'ENOENT' } });
  });
});

describe('content', () => {
  test('is allocated, and shown with its places', async () => {
    const path = await makeFile('allocated');
    await host.calls.allocate(path, 1 << 20);
    expect(await stat(path)).toMatchObject({ size: 1 << 20, blocks: 2048 });
    const file = await open(path, 'r+');
    await file.write(Buffer.alloc(8192, 1), 0, 8192, 65536);
    await file.close();
    const extents = await host.calls.extents(path);
    const written = extents.filter(({ isUnwritten }) => !isUnwritten);
    expect(written).toMatchObject([{ logical: 65536, length: 8192, isPlaced: true }]);
    expect(extents.reduce((sum, { length }) => sum + length, 0)).toBe(1 << 20);
  });

  test('of many extents comes whole', async () => {
    const path = await makeFile('fragmented');
    const file = await open(path, 'r+');
    for (let index = 0; index < 5000; index += 1) await file.write(Buffer.alloc(4096, 1), 0, 4096, index * 16384);
    await file.close();
    const extents = await host.calls.extents(path);
    expect(extents.map(({ logical }) => logical)).toEqual(Array.from({ length: 5000 }, (_, index) => index * 16384));
  });

  test('that does not fit is exhausted', async () => {
    const path = await makeFile('too-large');
    await expect(host.calls.allocate(path, 2 ** 50)).rejects.toMatchObject({ code: 'exhausted' });
  });

  test('is shared on a file system that can, and unsupported between two of them', async () => {
    const image = await makeFile('xfs.img', 320 << 20);
    await execa('mkfs.xfs', ['-q', image]);
    const loop = await host.calls.attachLoop(image, { readOnly: false });
    const target = join(world.scratch, 'xfs');
    await mkdir(target);
    try {
      await host.calls.mount({ source: loop.path, target, fsType: 'xfs', flags: 0, data: '' });
      await writeFile(`${world.root}${target}/a`, Buffer.alloc(1 << 20, 7));
      await host.calls.clone(`${target}/a`, `${target}/b`);
      const [a, b] = await Promise.all(['a', 'b'].map((name) => host.calls.extents(`${target}/${name}`)));
      expect(b).toEqual(a);
      expect(await readFile(`${world.root}${target}/b`)).toEqual(Buffer.alloc(1 << 20, 7));
      const outside = join(world.scratch, 'outside');
      await expect(host.calls.clone(`${target}/a`, outside)).rejects.toMatchObject({ code: 'unsupported' });
    } finally {
      await host.calls.unmount(target).catch(() => {});
      await host.calls.detachLoop(loop);
    }
  });

  test('of a slow disk keeps nobody else waiting', async () => {
    const fifo = join(world.scratch, 'fifo');
    await execa('mkfifo', [fifo]);
    const slow = host.calls.extents(fifo); // waits for a writer
    const refused = expect(slow).rejects.toMatchObject({ code: 'unsupported' });
    const lock = await host.calls.tryLock(await makeFile('beside'));
    await lock?.release();
    await (await open(fifo, 'w')).close();
    await refused;
  });
});

describe('loop devices', () => {
  test('are found again by their file, and detached once', async () => {
    const path = await makeFile('sector', 512);
    const devices: LoopDevice[] = [];
    try {
      devices.push(await host.calls.attachLoop(path, { readOnly: true }));
      const [device] = devices as [LoopDevice];
      expect(await host.calls.loopsOf(path)).toEqual([device]);
      const { rdev } = await stat(device.path);
      expect(rdev).toBe(device.major * 256 + device.minor);
      const node = await open(device.path, 'r');
      const { bytesRead } = await node.read(Buffer.alloc(4096), 0, 4096, 0);
      await node.close();
      expect(bytesRead).toBe(512);
      await expect(writeFile(device.path, 'x')).rejects.toMatchObject({ code: 'EPERM' });
    } finally {
      for (const device of devices) await host.calls.detachLoop(device);
    }
    expect(await host.calls.loopsOf(path)).toEqual([]);
    for (const device of devices) await host.calls.detachLoop(device);
  });
});

test('a container without the devices of the host is told what it lacks', async () => {
  const path = await makeFile('no-device', 512);
  await host.calls.mount({ source: 'empty', target: '/dev', fsType: 'tmpfs', flags: 0, data: '' });
  await expect(host.calls.attachLoop(path, { readOnly: true })).rejects.toMatchObject({
    code: 'environment',
    message: expect.stringContaining("the host's /dev"),
  });
  await host.calls.unmount('/dev');
});

describe('the process', () => {
  test('outlives the signals that a terminal or systemd sends to the whole group', async () => {
    const [file = '', ...prefix] = world.prefix;
    const command = 'kill -TERM $(pidof berth-csi-host) && kill -INT $(pidof berth-csi-host)';
    await execa(file, [...prefix, 'sh', '-c', command]);
    const lock = await host.calls.tryLock(await makeFile('after-signals'));
    expect(lock).toBeDefined();
    await lock?.release();
  });

  test('ends with its socket, and whoever asked is told', async () => {
    const other = await startHostProcess(wrapper);
    await other.close();
    expect((await other.closed).message).toContain('closed');
    await expect(other.calls.unmount('/')).rejects.toMatchObject({ code: 'io' });
  });

  test('that is not there is a fault of the environment', async () => {
    await expect(startHostProcess('/no/berth-csi-host')).rejects.toMatchObject({ code: 'environment' });
  });
});
