import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { SHIM_SERVICE, shimMethods } from '../../proto/shim.ts';
import { createNodeSystem } from '../../runtime/system/node/system.ts';
import { createClient } from '../../runtime/system/rpc/ttrpc-client.ts';
import { type ClaimsLab, createClaimsLab } from '../support/claims-lab.ts';
import type { LabPod } from '../support/lab.ts';

const MIB = 2 ** 20;
const FSGROUP = 4711;

let lab: ClaimsLab;
beforeAll(async () => {
  lab = await createClaimsLab();
});
afterEach(async () => {
  await lab.removeClaims();
  expect(await lab.remains()).toEqual([]);
});
afterAll(() => lab.close());

/** A bundle whose config.json was changed. */
async function bundle(name: string, script: string, change: (spec: Spec) => void): Promise<string> {
  const directory = await lab.bundle(name, script);
  const path = join(directory, 'config.json');
  const spec = JSON.parse(await readFile(path, 'utf8'));
  change(spec);
  await writeFile(path, JSON.stringify(spec));
  return directory;
}

interface Spec {
  readonly process: { user: object };
  readonly linux: { maskedPaths: string[] };
}

/** The lines of a pod that must end well. */
async function finish(pod: LabPod): Promise<readonly string[]> {
  const exitCode = await pod.exitCode;
  expect({ exitCode, stderr: pod.stderr() }).toMatchObject({ exitCode: 0 });
  return pod.lines();
}

const flags = (target: string, rest = ''): string[] => ['--volume', `${target}:/data${rest}`];

describe.each([
  ['ext4', 64 * MIB],
  ['xfs', 320 * MIB],
  ['btrfs', 256 * MIB],
])('a volume of %s', (fsType, sizeBytes) => {
  it('keeps its content, and grows under its writer and between its pods', async () => {
    const volume = await lab.claim({ name: `grows-${fsType}`, fsType, sizeBytes });
    const target = await volume.publish('pod-a');
    const script = `head -c 20000000 /dev/urandom >/data/file; echo "writing now"
for n in 1 2 3; do cp /data/file /data/copy; sync; done; echo "sum $(sha256sum </data/file) $(sha256sum </data/copy)"`;
    const writer = await lab.start('writer', script, flags(target));
    await lab.line(writer, 'writing');
    await volume.expand(target, 2 * sizeBytes);
    const { totalBytes, problem } = await volume.stats(target);
    expect(totalBytes).toBeGreaterThan(1.6 * sizeBytes);
    expect(problem).toBe('');
    const sum = await lab.line(writer, 'sum');
    const [file, , copy] = sum.split(/ +/);
    expect(copy).toBe(file);
    await finish(writer);
    expect(await volume.filesystem()).toMatchObject({ state: 'formatted' });

    await volume.expand(target, 3 * sizeBytes);
    const reader = await lab.start(
      'reader',
      'echo "sum $(sha256sum </data/file)"; df -m /data | tail -1',
      flags(target),
    );
    const lines = await finish(reader);
    expect(lines).toContain(`sum ${file}  -`);
    expect(Number(lines.at(-1)?.split(/ +/)[1])).toBeGreaterThan((2.6 * sizeBytes) / MIB);
  });
});

describe('a volume in a pod', () => {
  it('belongs to the group of the pod, whatever its user', async () => {
    const volume = await lab.claim({ name: 'owned', fsType: 'ext4', sizeBytes: 64 * MIB });
    const target = await volume.publish('pod-a', { fsGroup: FSGROUP });
    const script = 'echo data >/data/file && stat -c "%g %a" /data /data/file';
    const directory = await bundle('owned', script, ({ process }) => {
      process.user = { uid: 1000, gid: 1000, additionalGids: [FSGROUP] };
    });
    const pod = await lab.startBundle('owned', directory, flags(target));
    expect(await finish(pod)).toEqual([`${FSGROUP} 2775`, `${FSGROUP} 644`]);
  });

  it('is shown in parts, which lead nowhere else', async () => {
    const volume = await lab.claim({ name: 'parts', fsType: 'ext4', sizeBytes: 64 * MIB });
    const target = await volume.publish('pod-a');
    const at = (subPath: string, path = '/data'): string[] => ['--volume', `${target}//${subPath}:${path}`];
    const first = await lab.start(
      'first',
      'echo one >/data/one && ln -s /etc /data/out && ln -s ../../../.. /data/up && cat /whole/a/b/one',
      [...at('a/b'), '--volume', `${target}:/whole`],
    );
    expect(await finish(first)).toEqual(['one']);
    const second = await lab.start('second', 'cat /data; cat /b/one', [...at('a/b/one'), ...at('a/b', '/b')]);
    expect(await finish(second)).toEqual(['one', 'one']);
    for (const subPath of ['a/b/out', 'a/b/up/etc']) {
      const { exitCode, stderr } = await lab.berth(['run', await lab.bundle('escapes', 'cat /data/*'), ...at(subPath)]);
      expect(exitCode).toBe(125);
      expect(stderr).toMatch(/leads out of the volume/);
    }
  });

  it('that is read-only is read by several at once, and written by none', async () => {
    const volume = await lab.claim({ name: 'read', fsType: 'ext4', sizeBytes: 64 * MIB });
    const target = await volume.publish('pod-a');
    await finish(await lab.start('writer', 'echo data >/data/file', flags(target)));
    const before = await readFile(volume.image);
    await volume.unpublish(target);
    const reading = await volume.publish('pod-b', { readOnly: true });
    const script = 'cat /data/file; echo more >/data/file || echo refused';
    expect(await finish(await lab.start('reader', script, flags(reading)))).toEqual(['data', 'refused']);
    expect((await readFile(volume.image)).equals(before)).toBe(true);
    const another = await volume.publish('pod-c', { readOnly: true });
    const waiting = `cat /data/file; echo "reading now"; trap 'exit 0' TERM; while :; do sleep 1; done`;
    const first = await lab.start('first', waiting, flags(reading));
    await lab.line(first, 'reading');
    expect(await finish(await lab.start('second', 'cat /data/file', flags(another)))).toEqual(['data']);
    const writing = await lab.berth([
      'run',
      await lab.bundle('writes', 'true'),
      ...flags(await volume.publish('pod-d')),
    ]);
    expect(writing).toMatchObject({ exitCode: 125, stderr: expect.stringMatching(/in use by.*Recreate/s) });
    expect(await first.end()).toBe(0);
  });

  it('in Block mode is a device, and never formatted afterwards', async () => {
    const volume = await lab.claim({ name: 'raw', sizeBytes: 16 * MIB });
    const target = await volume.publish('pod-a');
    const mismatch = await lab.berth(['run', await lab.bundle('mount', 'true'), ...flags(target)]);
    expect(mismatch).toMatchObject({ exitCode: 125, stderr: expect.stringContaining('--device') });
    expect(await volume.filesystem()).toMatchObject({ state: 'never' });
    const script =
      'echo raw | dd of=/dev/xvda bs=512 seek=3 conv=sync,fsync 2>/dev/null && blockdev --getsize64 /dev/xvda';
    const writer = await lab.start('writer', script, ['--device', `${target}:/dev/xvda`]);
    expect(await finish(writer)).toEqual([String(16 * MIB)]);
    expect(await volume.filesystem()).toMatchObject({ state: 'raw' });
    expect((await readFile(volume.image)).toString('latin1', 1536, 1540)).toBe('raw\n');
    const reader = await lab.start('reader', 'dd if=/dev/xvda bs=512 skip=3 count=1 2>/dev/null | head -c 4', [
      '--device',
      `${target}:/dev/xvda:ro`,
    ]);
    expect(await finish(reader)).toEqual(['raw']);
  });

  it('gives back to the pool what its pod has deleted', async () => {
    const volume = await lab.claim({ name: 'trimmed', fsType: 'ext4', sizeBytes: 128 * MIB });
    const target = await volume.publish('pod-a');
    const script = `head -c 40000000 /dev/urandom >/data/file; sync; echo "full now"
rm /data/file; sync; echo "empty now"
trap 'exit 0' TERM; while :; do sleep 1; done`;
    const pod = await lab.start('trimmed', script, flags(target));
    await lab.line(pod, 'empty');
    const allocated = async (): Promise<number> => (await stat(volume.image)).blocks * 512;
    const full = await allocated();
    expect(full).toBeGreaterThan(38_000_000);
    const shimSocket = `${lab.root}${podPaths(runPaths(lab.runDirectory), 'trimmed').shimSocket}`;
    const shim = createClient(await createNodeSystem().connect(shimSocket), SHIM_SERVICE, shimMethods);
    expect((await shim.call('trimVolume', { volumeId: volume.id })).trimmedBytes).toBeGreaterThan(38_000_000);
    shim.close();
    expect(await allocated()).toBeLessThan(full - 35_000_000);
    expect(await pod.end()).toBe(0);
  });

  it('keeps what was synced when its guest panics in the middle of writes', async () => {
    const volume = await lab.claim({ name: 'panics', fsType: 'ext4', sizeBytes: 64 * MIB });
    const target = await volume.publish('pod-a');
    const script = `head -c 8000000 /dev/urandom >/data/file; sync; echo "sum $(sha256sum </data/file)"
(while :; do cat /data/file >>/data/more; rm /data/more; done) & sleep 1; echo c >/proc/sysrq-trigger`;
    const directory = await bundle('panics', script, ({ linux }) => {
      linux.maskedPaths = [];
    });
    const pod = await lab.startBundle('panics', directory, flags(target));
    const sum = await lab.line(pod, 'sum');
    expect(await pod.exitCode).toBe(125);
    const reader = await lab.start('reader', 'echo "sum $(sha256sum </data/file)"', flags(target));
    expect(await finish(reader)).toEqual([`sum ${sum}`]);
  });

  it('that is damaged beyond a safe repair is not mounted, and its condition says so', async () => {
    const volume = await lab.claim({ name: 'damaged', fsType: 'ext4', sizeBytes: 64 * MIB });
    const target = await volume.publish('pod-a');
    await finish(await lab.start('writer', 'echo data >/data/file', flags(target)));
    const file = await open(volume.image, 'r+');
    await file.write(new Uint8Array(1024), 0, 1024, 1024);
    await file.close();
    const { exitCode, stderr } = await lab.berth(['run', await lab.bundle('reader', 'true'), ...flags(target)]);
    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/damaged beyond what is safe to repair.*berth volume fsck/s);
    expect(await volume.problem()).toMatch(/damaged beyond what is safe to repair/);
  });
});
