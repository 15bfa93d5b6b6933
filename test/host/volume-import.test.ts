import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import * as v from 'valibot';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CsiServer, startCsiServer } from '../../deploy/demo/csi-server.ts';
import { volumeFilesystemRecord } from '../../proto/volume-filesystem.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { createLab, type Finished, type Lab, programs } from '../support/lab.ts';
import { firstChild, signalInWorld } from '../support/world.ts';

const MIB = 2 ** 20;
/** Hundreds of MiB are written and synced. */
const PATIENCE_MS = 180_000;
const SOCKET = '/run/csi.sock';

let lab: Lab;
let csi: CsiServer;
beforeAll(async () => {
  lab = await createLab();
  // Small, and promised more often than it is there: an import can meet its end on the way.
  const image = join(lab.scratch, 'pool.xfs');
  await exec('truncate', ['--size', '1G', image]);
  await exec('mkfs.xfs', ['-q', '-m', 'reflink=1', image]);
  await inWorld('mount', '-o', 'loop', image, lab.poolDirectory);
  csi = await startCsiServer({
    command: [...lab.prefix, process.execPath, programs.csi],
    socket: SOCKET,
    clientSocket: `${lab.root}${SOCKET}`,
    stateDirectory: '/run/csi',
    pool: { name: 'pool', directory: `${lab.poolDirectory},overcommit=4` },
    protoPath: programs.csiProto,
    terminate: (pid) => signalInWorld(pid, 'SIGTERM'),
  });
});
afterAll(async () => {
  await csi.stop();
  await lab.close();
});

async function inWorld(...command: readonly string[]): Promise<string> {
  const [file = '', ...args] = [...lab.prefix, ...command];
  return exec(file, args);
}

const importArguments = (file: string, name: string, ...flags: readonly string[]): string[] => [
  ...['volume', 'import', file, '--name', name, '--pool', `pool=image-file:${lab.poolDirectory}`],
  ...['--endpoint', `unix://${SOCKET}`, ...flags],
];
const importImage = (file: string, name: string, ...flags: readonly string[]): Promise<Finished> =>
  lab.berth(importArguments(file, name, ...flags));
const deleteVolume = (id: string, confirm: string): Promise<Finished> => {
  const pool = ['--pool', `pool=image-file:${lab.poolDirectory}`];
  return lab.berth(['volume', 'delete', id, '--confirm', confirm, ...pool, '--endpoint', `unix://${SOCKET}`]);
};

/** An import that is told to end, or killed, while it fills the disk: how it ended, and the volume it was filling. */
async function endHalfWay(file: string, name: string, signal: 'SIGINT' | 'SIGKILL') {
  const [command = '', ...args] = [...lab.prefix, process.execPath, programs.berth, ...importArguments(file, name)];
  const child = execa(command, args, { reject: false });
  const ended = child.then(() => true);
  for (;;) {
    const [id = ''] = await volumes();
    // Where the volume will be does not exist yet, so there is nothing that could be watched.
    if (id !== '' && (await stateOf(id)) === 'formatting') {
      process.kill(await firstChild(child.pid ?? 0), signal);
      return { id, ended: await child };
    }
    if (await Promise.race([ended, setTimeout(5, false)])) throw new Error('the import ended before it began');
  }
}

const persistentVolume = v.object({
  kind: v.literal('PersistentVolume'),
  metadata: v.object({ name: v.string() }),
  spec: v.object({
    capacity: v.object({ storage: v.string() }),
    csi: v.object({ volumeHandle: v.string(), fsType: v.string() }),
  }),
});

/** Of the volume of an import that ended well. */
function handleOf({ exitCode, stdout, stderr }: Finished): string {
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return v.parse(persistentVolume, JSON.parse(stdout)).spec.csi.volumeHandle;
}

const inVolume = (id: string, file: string): string => join(`${lab.root}${lab.poolDirectory}`, 'volumes', id, file);
const stateOf = async (id: string): Promise<string> =>
  volumeFilesystemRecord.decode(await readFile(inVolume(id, 'fs.json'), 'utf8'), id).state;
const volumes = async (): Promise<string[]> =>
  (await inWorld('ls', join(lab.poolDirectory, 'volumes'))).split('\n').filter((name) => name !== '');

/** An image with a file system, and as much in it as is asked for. */
async function makeImage(name: string, fsType: 'ext4' | 'xfs', sizeMib: number, contentMib = 0): Promise<string> {
  const [file, content] = [join(lab.scratch, name), join(lab.scratch, 'content')];
  await exec('mkdir', ['-p', content]);
  await exec('sh', ['-c', `head -c ${contentMib * MIB} /dev/urandom >"$1"`, 'sh', join(content, 'file')]);
  await exec('truncate', ['--size', `${sizeMib}M`, file]);
  await exec(`mkfs.${fsType}`, fsType === 'ext4' ? ['-q', '-d', content, file] : ['-q', file]);
  return file;
}

/** The volume is like the image, and zero beyond it. */
async function expectSame(id: string, file: string): Promise<void> {
  const [disk, image] = [await readFile(inVolume(id, 'image.raw')), await readFile(file)];
  expect(disk.subarray(0, image.length).equals(image)).toBe(true);
  expect(disk.subarray(image.length).every((byte) => byte === 0)).toBe(true);
  expect((await stat(inVolume(id, 'image.raw'))).mode & 0o777).toBe(0o600);
}

describe('berth volume import', () => {
  let ext4: string;
  beforeEach(async () => {
    ext4 = await makeImage('small.raw', 'ext4', 20, 4);
  });

  it('makes a volume of an image, which berth volume delete deletes', async () => {
    const id = handleOf(await importImage(ext4, 'photos.example', '--fs', 'ext4'));
    await expectSame(id, ext4);
    expect(await stateOf(id)).toBe('raw');
    expect(await importImage(ext4, 'photos.example')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('has been used'),
    });

    const { snapshot } = v.parse(
      v.object({ snapshot: v.object({ snapshot_id: v.string() }) }),
      await csi.client.call('Controller', 'CreateSnapshot', { name: 'kept', source_volume_id: id }),
    );
    const refusals = [
      [await deleteVolume(id, 'photos.example'), 'is called imported-photos.example'],
      [await deleteVolume(id, 'imported-photos.example'), `has snapshots (${snapshot.snapshot_id})`],
    ] as const;
    for (const [refusal, words] of refusals) {
      expect(refusal).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(words) });
    }
    await csi.client.call('Controller', 'DeleteSnapshot', { snapshot_id: snapshot.snapshot_id });
    expect(await deleteVolume(id, 'imported-photos.example')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await volumes()).toEqual([]);
    expect(await deleteVolume(id, 'imported-photos.example')).toMatchObject({ exitCode: 1 });
  });

  it('tells the file system by itself, and refuses another, without a volume', async () => {
    const xfs = await makeImage('other.raw', 'xfs', 320);
    expect(await importImage(ext4, 'wrong', '--fs', 'xfs')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`${ext4} holds ext4, not xfs`),
    });
    expect(await importImage(lab.scratch, 'wrong')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('no regular file'),
    });
    expect(await importImage(ext4, 'wrong', '--pool', `b=image-file:${lab.scratch}`)).toMatchObject({ exitCode: 2 });
    expect(await volumes()).toEqual([]);
    const imported = await importImage(xfs, 'other');
    const id = handleOf(imported);
    expect(imported.stdout).toContain('"fsType": "xfs"');
    expect(await deleteVolume(id, 'imported-other')).toMatchObject({ exitCode: 0 });
  });

  it('says at once that no driver listens', async () => {
    const startMs = performance.now();
    const refused = await importImage(ext4, 'lonely', '--endpoint', 'unix:///run/none.sock');
    expect(refused).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringContaining('no berth-csi answers at /run/none.sock'),
    });
    // Of which the most is Node's start, on a machine that has other things to do.
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });

  it('leaves nothing when the pool is full half-way, or it is interrupted', { timeout: PATIENCE_MS }, async () => {
    const large = await makeImage('large.raw', 'ext4', 200, 150);
    await inWorld('fallocate', '--length', '840M', join(lab.poolDirectory, 'others'));
    const full = await importImage(large, 'large');
    expect(full).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('no space left') });
    expect(await volumes()).toEqual([]);
    await inWorld('rm', join(lab.poolDirectory, 'others'));

    const { ended } = await endHalfWay(large, 'large', 'SIGINT');
    expect(ended).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('interrupted') });
    expect(await volumes()).toEqual([]);
  });

  it('that was killed is begun anew by the same command, or deleted', { timeout: PATIENCE_MS }, async () => {
    const large = await makeImage('large.raw', 'ext4', 200, 150);
    const { id } = await endHalfWay(large, 'large', 'SIGKILL');
    expect(await stateOf(id)).toBe('formatting');
    // What copies has outlived it, and holds the lease as long as it writes.
    await inWorld('flock', join(lab.poolDirectory, 'volumes', id, 'lease'), 'true');
    expect(handleOf(await importImage(large, 'large'))).toBe(id);
    await expectSame(id, large);
    expect(await deleteVolume(id, 'imported-large')).toMatchObject({ exitCode: 0 });

    await endHalfWay(large, 'large', 'SIGKILL');
    await inWorld('flock', join(lab.poolDirectory, 'volumes', id, 'lease'), 'true');
    const emptier = await makeImage('emptier.raw', 'ext4', 200, 1);
    expect(handleOf(await importImage(emptier, 'large'))).toBe(id);
    await expectSame(id, emptier);
    expect(await deleteVolume(id, 'imported-large')).toMatchObject({ exitCode: 0 });

    await endHalfWay(large, 'large', 'SIGKILL');
    await inWorld('flock', join(lab.poolDirectory, 'volumes', id, 'lease'), 'true');
    expect(await deleteVolume(id, 'imported-large')).toMatchObject({ exitCode: 0 });
    expect(await volumes()).toEqual([]);
  });
});
