import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CsiServer } from '../../deploy/demo/csi-server.ts';
import { guestVolumePath } from '../../proto/guest-layout.ts';
import { exec } from '../../runtime/system/node/exec.ts';
import { bootGuestVm, createImage } from '../support/guest-vm.ts';
import { createLab, type Lab, programs } from '../support/lab.ts';
import { createLabVolume, type LabVolume } from '../support/lab-volumes.ts';

/** For what a pod does once it runs. */
const WAIT = { timeout: 60_000 };

let lab: Lab;
let csi: CsiServer;
let volume: LabVolume;
let volumes = 0;
/** Of a node with a published volume and no pod. */
let quiet: readonly string[];
beforeAll(async () => {
  lab = await createLab();
  csi = await lab.csi();
});
beforeEach(async () => {
  volumes += 1;
  volume = await createLabVolume(lab, csi, `shared-${volumes}`);
  quiet = await lab.remains();
});
afterEach(async () => {
  expect(await lab.remains()).toEqual(quiet);
  await volume.remove();
  expect(await lab.remains()).toEqual([]);
});
afterAll(async () => {
  await csi.stop();
  await lab.close();
});

async function inWorld(...command: readonly string[]): Promise<string> {
  const [file = '', ...args] = [...lab.prefix, ...command];
  return exec(file, args);
}

/** Flags of a pod with a sidecar called side. */
async function beside(script: string, ...flags: readonly string[]): Promise<readonly string[]> {
  return ['--sidecar', `side=${await lab.bundle('side', script)}`, ...flags];
}

/** A bundle with a bind mount of its own in config.json. */
async function bundleWithMount(script: string, source: string, ...options: readonly string[]): Promise<string> {
  const bundle = await lab.bundle('bound', script);
  const path = join(bundle, 'config.json');
  const spec = JSON.parse(await readFile(path, 'utf8'));
  spec.mounts.push({ destination: '/data', type: 'bind', source, options: ['rbind', ...options] });
  await writeFile(path, JSON.stringify(spec));
  return bundle;
}

const run = async (script: string, ...flags: readonly string[]) =>
  lab.berth(['run', await lab.bundle('main', script), ...flags]);
const numbered = (prefix: string, count: number): string =>
  Array.from({ length: count }, (_, index) => `${prefix} ${index}\n`).join('');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
/** After `script` it goes on until it is told to end; whenever that is, it says so. */
const serve = (script: string): string =>
  `trap "echo told to end; exit 0" TERM\n${script}\nwhile :; do sleep 0.1; done`;
/** The containers of a pod meet at its loopback interface. */
const TELL = (port: number, what: string) =>
  `until echo "${what}" | nc -w 5 127.0.0.1 ${port} 2>/dev/null; do sleep 0.1; done`;

describe('two containers of a pod', () => {
  it('have parts of one volume, each its own, a file or read-only as they ask, and one network', async () => {
    const { target } = volume;
    const prepared = await run('mkdir /v/a; echo of all >/v/conf; sync', '--volume', `${target}:/v`);
    expect(prepared).toMatchObject({ exitCode: 0, stderr: '' });
    const side = `
      head -c 3000000 /dev/urandom >/data/side; sync; sum=$(sha256sum </data/side)
      ls /data /other; touch /other/x 2>/dev/null || echo refused; echo of both >/both/file
      ${TELL(1000, '$sum')}`;
    const main = `
      head -c 3000000 /dev/urandom >/data/main; sync; sha256sum </data/main
      nc -l -p 1000; ls /data; cat /both/file /conf; echo x >/conf || echo refused; exit 3`;
    const ran = await run(
      main,
      ...(await beside(
        serve(side),
        '--volume',
        `side=${target}//b/c:/data`,
        '--volume',
        `side=${target}//a:/other:ro`,
        '--volume',
        `side=${target}//new:/both`,
      )),
      ...['--volume', `${target}//a:/data`, '--volume', `${target}//conf:/conf:ro`, '--volume', `${target}//new:/both`],
    );
    expect(ran.exitCode, ran.stderr).toBe(3);
    const [ofMain, ofSide, ...seen] = ran.stdout.trimEnd().split('\n');
    expect(seen).toEqual(['main', 'of both', 'of all', 'refused']);
    const said = ran.stderr.split('\n').filter((line) => line.startsWith('side: '));
    expect(said).toContain('side: side');
    expect(said.slice(-2)).toEqual(['side: refused', 'side: told to end']);

    const looked = await run(
      'cd /v; sha256sum <a/main; sha256sum <b/c/side; find . -type f',
      '--volume',
      `${target}:/v:ro`,
    );
    const [first, second, ...files] = looked.stdout.trimEnd().split('\n');
    expect([first, second]).toEqual([ofMain, ofSide]);
    expect(files.toSorted()).toEqual(['./a/main', './b/c/side', './conf', './new/file']);
  });

  it('are refused, by the name of the container, where a part of the volume leads out of it', async () => {
    const { target } = volume;
    expect(await run('ln -s / /v/out; sync', '--volume', `${target}:/v`)).toMatchObject({ exitCode: 0 });
    const flags = await beside('echo never', '--volume', `side=${target}//out/etc:/data`);
    const refused = await run('echo never', ...flags, '--volume', `${target}:/v`);
    expect(refused).toMatchObject({ exitCode: 125, stdout: '' });
    expect(refused.stderr).toMatch(/container side: the sub path "out\/etc" of disk \S+ leads out of the volume/);
    expect(refused.stderr).not.toContain('never');
    expect(await volume.isLeaseFree()).toBe(true);
  });

  it('have what kubelet bound of the placeholder for each, by the mounts of config.json', async () => {
    const { target } = volume;
    const subPaths = '/run/kubelet/pods/shared/volume-subpaths/data';
    for (const [name, place] of [
      ['web', 'html'],
      ['sync', 'in coming'],
    ]) {
      await inWorld('mkdir', '-p', `${target}/${place}`, `${subPaths}/${name}/0`);
      await inWorld('mount', '--bind', `${target}/${place}`, `${subPaths}/${name}/0`);
    }
    const sync = await bundleWithMount(
      serve(`echo new >/data/file; sync; ${TELL(1000, 'there')}`),
      `${subPaths}/sync/0`,
    );
    const web = await bundleWithMount('nc -l -p 1000; ls -a /data | wc -l; echo x >/data/x', `${subPaths}/web/0`, 'ro');
    const ran = await lab.berth(['run', web, '--sidecar', `sync=${sync}`]);
    expect(ran.stderr).toMatch(/\/data\/x: Read-only file system/);
    expect(ran).toMatchObject({ exitCode: 1, stdout: 'there\n2\n' });
    for (const name of ['web', 'sync']) await inWorld('umount', `${subPaths}/${name}/0`);
    expect(await volume.read('"/in coming/file"')).toBe('new\n');
  });
});

describe('a sidecar', () => {
  it('that fails is reported and ends nothing; what it did not end with a newline is ended', async () => {
    const flags = await beside('echo error >&2; printf half; exit 7');
    const pod = await lab.start('failing', 'echo main >&2; echo ready yes; nc -l -p 1000; exit 0', flags);
    await lab.line(pod, 'ready');
    await vi.waitFor(() => expect(pod.stderr()).toContain('berth: '), WAIT);
    expect((await lab.berth(['ps'])).stdout).toMatch(/^failing +running .* main, side /m);
    await pod.signal('SIGTERM');
    await pod.signal('SIGTERM');
    expect(await pod.exitCode).toBe(143);
    expect(pod.stderr().split('\n').toSorted()).toEqual([
      ...['', 'berth: sidecar side ended with exit status 7', 'main', 'side: error', 'side: half'],
    ]);
  });

  it('that does not end is killed, after the main container was told', async () => {
    const flags = await beside('trap "echo deaf" TERM; while :; do sleep 0.1; done');
    const pod = await lab.start('stopped', serve('echo ready yes'), flags);
    await lab.line(pod, 'ready');
    expect(await lab.berth(['stop', 'stopped', '--timeout', '8'])).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await pod.exitCode).toBe(0);
    expect(pod.lines()).toEqual(['ready yes', 'told to end']);
    expect(pod.stderr()).toBe('side: deaf\n');
  });

  it('that is the main bundle again, with output that nobody reads any more, disturbs nobody', async () => {
    const bundle = await lab.bundle('same', 'for i in 1 2 3 4 5; do echo $i; echo e$i >&2; sleep 0.1; done; exit 5');
    const run = `${process.execPath} ${programs.berth} run ${bundle} --sidecar side=${bundle} --accelerator tcg`;
    const pipe = `${run} 2>&1 >/dev/null </dev/null | head -n 1; echo status \${PIPESTATUS[0]}`;
    const said = await inWorld('bash', '-c', pipe);
    expect(said).toMatch(/^(side: 1|side: e1|e1)\nstatus 5\n$/);
  });

  it('whose root is missing keeps the pod from being made, by its name', async () => {
    const bundle = await lab.bundle('rootless', 'echo never');
    await inWorld('rm', '-r', join(bundle, 'rootfs'));
    const ran = await run('echo never', '--sidecar', `side=${bundle}`);
    expect(ran).toMatchObject({ exitCode: 125, stdout: '' });
    expect(ran.stderr).toMatch(/container side: root\.path: .*rootfs does not exist/);
  });
});

it('a shim that is killed while two containers run is followed by one that has the output of both', async () => {
  const lines = 20_000;
  const speak = (name: string) =>
    `i=0; while [ $i -lt ${lines} ]; do echo "${name} $i"; i=$((i + 1)); done; echo ${name} end of it`;
  const flags = await beside(serve(`${speak('side')}; ${TELL(1000, 'done')}`));
  const pod = await lab.start('orphan', `${speak('main')}; nc -l -p 1000; exit 6`, flags);
  await lab.line(pod, 'main');
  const first = await lab.sandbox('orphan');
  await lab.kill(first.shim);
  await vi.waitFor(async () => expect((await lab.sandbox('orphan')).shim).not.toBe(first.shim), WAIT);
  await lab.kill((await lab.sandbox('orphan')).shim);
  expect(await pod.exitCode).toBe(6);
  expect(sha256(pod.lines().join('\n'))).toBe(sha256(`${numbered('main', lines)}main end of it\ndone`));
  const said = `${numbered('side: side', lines)}side: side end of it\nside: told to end\n`;
  expect(sha256(pod.stderr())).toBe(sha256(said));
});

it('a place that a running container makes a link out, or that a freeze hides, is refused to the next', async () => {
  const directory = join(lab.scratch, 'guest');
  await mkdir(directory);
  const image = join(lab.scratch, 'guest.img');
  await createImage(image, 64 << 20);
  const vm = await bootGuestVm(directory, [{ serial: 'v', image }]);
  try {
    await vm.agent.call('formatVolume', { serial: 'v', fsType: 'ext4', resume: false, mkfsOptions: [] });
    await vm.agent.call('mountVolume', { serial: 'v', fsType: 'ext4', mountPoint: guestVolumePath('v') });
    const whole = { serial: 'v', path: '/whole' };
    const part = (subPath: string) => ({ mounts: [{ serial: 'v', subPath, path: '/part' }] });
    const swap =
      'rm -r /whole/d; ln -s / /whole/d; touch /whole/swapped; until [ -e /whole/go ]; do sleep 0.1; done; ls /part';
    const running = vm.run(swap, { mounts: [whole, { serial: 'v', subPath: 'd', path: '/part' }] });
    await vm.run('until [ -e /whole/swapped ]; do sleep 0.1; done', { mounts: [whole] });
    await expect(vm.run('true', part('d'))).rejects.toThrow(/"d" of disk v leads out of the volume/);
    await expect(vm.run('true', part('d/etc'))).rejects.toThrow(/leads out of the volume/);
    await vm.run('touch /whole/go', { mounts: [whole] });
    expect(await running).toBe('');

    await vm.run('true', part('there'));
    await vm.agent.call('freezeVolumes', { serials: ['v'], timeoutMs: 60_000 });
    await vm.run('ls /part', part('there'));
    await expect(vm.run('true', part('missing'))).rejects.toMatchObject({ code: 'busy' });
    expect(await vm.agent.call('thawVolumes', { serials: ['v'] })).toEqual({ wasHeld: true });
    await vm.shutdown();
  } finally {
    await vm.kill();
  }
});
