import { open } from 'node:fs/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sandbox } from '../../proto/sandbox-record.ts';
import { LIST_FAILPOINTS } from '../../runtime/system/failpoint.ts';
import { buildWithFailpoints } from '../support/failpoint-build.ts';
import { failpointsOf, type Pass, parsePasses, pointsOf } from '../support/failpoints.ts';
import { createLab } from '../support/lab.ts';
import { createLabVolume, type LabVolume } from '../support/lab-volumes.ts';
import { createShims, type ShimClient } from '../support/shims.ts';

const BOOTS_MS = 120_000;
const STOP_MS = 30_000;

const lab = await createLab();
const csi = await lab.csi();
const shims = createShims(lab, await buildWithFailpoints('shim'));
/** What is run twice is told twice. */
const bundle = await lab.bundle('once', 'echo once >>/data/file; sync');
afterAll(async () => {
  await csi.stop();
  await lab.close();
});

let volume: LabVolume;
let count = 0;
async function addVolume(): Promise<void> {
  count += 1;
  volume = await createLabVolume(lab, csi, `volume-${count}`);
}

async function start(failpoint?: string): Promise<ShimClient> {
  const { exitCode, stderr } = await shims.start('pod', failpoint);
  expect(exitCode, stderr).toBe(0);
  return shims.connect('pod');
}

const placed = () => [
  { targetPath: volume.target, containerPath: '/data', readOnly: false, subPath: '', isDevice: false },
];
const createPod = (shim: ShimClient): Promise<unknown> => shim.call('create', shims.request(bundle, placed()));

/** The container runs to its end, and the pod is ended in order. */
async function runAndStop(shim: ShimClient): Promise<void> {
  await shim.call('start', {});
  expect(await shim.call('wait', {})).toEqual({ exitCode: 0 });
  await shim.call('stop', { timeoutMs: STOP_MS });
  await shim.closed;
}

/** All that a pod's process passes, by the verb during which it does. */
async function listPasses(): Promise<Readonly<Record<'create' | 'start' | 'stop', readonly Pass[]>>> {
  await addVolume();
  const shim = await start(LIST_FAILPOINTS);
  // It is removed with the pod's directory, and can be read as long as it is open.
  const log = await open(shims.logPath('pod'));
  const readPasses = async (): Promise<Pass[]> => {
    const { size } = await log.stat();
    const { buffer } = await log.read(Buffer.alloc(size), 0, size, 0);
    return parsePasses(buffer.toString());
  };
  await createPod(shim);
  const created = (await readPasses()).length;
  await shim.call('start', {});
  const started = (await readPasses()).length;
  await shim.call('wait', {});
  await shim.call('stop', { timeoutMs: STOP_MS });
  await shim.closed;
  const all = await readPasses();
  await log.close();
  await volume.remove();
  // What is passed before there is a log:
  const create = ['directory.made:1', ...all.slice(0, created)] as const;
  return { create, start: all.slice(created, started), stop: all.slice(started) };
}

const passes = await listPasses();
beforeEach(addVolume);
afterEach(async () => {
  await volume.remove();
  expect(await lab.remains()).toEqual([]);
});

/** The call of a shim that dies during it. */
async function expectKilled(shim: ShimClient, call: Promise<unknown>): Promise<void> {
  await expect(call).rejects.toMatchObject({ code: 'io' });
  await shim.closed;
}

async function killDuringCreate(pass: Pass): Promise<void> {
  const { exitCode, stderr } = await shims.start('pod', pass);
  if (exitCode === 0) {
    const shim = await shims.connect('pod');
    await expectKilled(shim, createPod(shim));
  } else {
    expect(stderr).toMatch(new RegExp(`${pass} kills|ended before it listened`));
  }
}

/** A new shim has the VM of the killed one if the pod was whole, else there is none any more. */
async function startAfter(former: Sandbox | undefined, pass: Pass): Promise<ShimClient> {
  const shim = await start();
  const isAdopted = former?.state === 'running';
  const vmms = (await lab.remains()).filter((remain) => remain.includes('qemu-system'));
  expect(vmms, pass).toHaveLength(isAdopted ? 1 : 0);
  expect((await shims.record('pod'))?.vmm, pass).toEqual(isAdopted ? former.vmm : undefined);
  expect(await volume.isLeaseFree(), pass).toBe(!isAdopted);
  if (isAdopted) await shim.call('resume', {});
  return shim;
}

describe('a shim killed during create', () => {
  const bootAt = passes.create.indexOf('guest.set-up:1');

  it(
    'before there is a guest, at any point, is followed by one that clears; at last one completes',
    async () => {
      for (const pass of passes.create.slice(0, bootAt)) {
        await killDuringCreate(pass);
        await startAfter(await shims.record('pod'), pass).then((shim) => shim.call('stop', { timeoutMs: 0 }));
      }
      const shim = await start();
      await createPod(shim);
      await runAndStop(shim);
      expect(await volume.read('/file')).toBe('once\n');
    },
    BOOTS_MS,
  );

  it.each(passes.create.slice(bootAt))(
    'at %s is followed by one that clears or adopts, and completes',
    async (pass) => {
      await killDuringCreate(pass);
      const former = await shims.record('pod');
      const filesystem = await volume.filesystem();
      const shim = await startAfter(former, pass);
      if (former?.state !== 'running') await createPod(shim);
      await runAndStop(shim);
      expect(await volume.read('/file')).toBe('once\n');
      const now = await volume.filesystem();
      expect(now.state).toBe('formatted');
      if (filesystem.state === 'formatted') expect(now).toEqual(filesystem);
    },
    BOOTS_MS,
  );

  it(
    'or rather the writer of its durable records, undoes everything',
    async () => {
      const shim = await start('directory.synced:1');
      await expect(createPod(shim)).rejects.toThrow(/could not write .*fs\.json/);
      await shim.closed;
      expect((await volume.filesystem()).state).toBe('formatting');
    },
    BOOTS_MS,
  );
});

describe('a shim killed during start', () => {
  it.each(passes.start)(
    'at %s is followed by one that adopts; the container runs once',
    async (pass) => {
      const killed = await start(pass);
      await createPod(killed);
      await expectKilled(killed, killed.call('start', {}));
      const former = await shims.record('pod');
      expect(former?.state).toBe('running');
      await runAndStop(await startAfter(former, pass));
      expect(await volume.read('/file')).toBe('once\n');
    },
    BOOTS_MS,
  );
});

describe('a shim of two containers killed', () => {
  const side = lab.bundle('side', 'echo side >>/data/side; sync');
  const createTwo = async (shim: ShimClient): Promise<void> => {
    const request = shims.request(bundle, placed());
    const beside = { id: 'side', bundle: await side, volumes: placed(), stdin: '', stdout: '', stderr: '' };
    await shim.call('create', { ...request, containers: [...request.containers, beside] });
  };
  const runSideAndStop = async (shim: ShimClient): Promise<void> => {
    await shim.call('start', { containerId: 'side' });
    expect(await shim.call('wait', { containerId: 'side' })).toEqual({ exitCode: 0 });
    await runAndStop(shim);
    expect([await volume.read('/file'), await volume.read('/side')]).toEqual(['once\n', 'side\n']);
  };

  it(
    'when one is created is followed by one that clears',
    async () => {
      const killed = await start('container.created:1');
      await expectKilled(killed, createTwo(killed));
      const shim = await startAfter(await shims.record('pod'), 'container.created:1');
      await createTwo(shim);
      await runSideAndStop(shim);
    },
    BOOTS_MS,
  );

  it(
    'when one is started is followed by one that adopts both; each runs once',
    async () => {
      const killed = await start('container.started:1');
      await createTwo(killed);
      await expectKilled(killed, killed.call('start', { containerId: 'side' }));
      await runSideAndStop(await startAfter(await shims.record('pod'), 'container.started:1'));
    },
    BOOTS_MS,
  );
});

describe('a shim killed during stop', () => {
  // The directory goes file by file: the first and the last stand for those between.
  const removals = passes.stop.filter((pass) => pass.startsWith('file.removed'));

  it.each(passes.stop.filter((pass) => !removals.slice(1, -1).includes(pass)))(
    'at %s leaves what the next one clears',
    async (pass) => {
      const killed = await start(pass);
      await createPod(killed);
      await killed.call('start', {});
      await killed.call('wait', {});
      await expectKilled(killed, killed.call('stop', { timeoutMs: STOP_MS }));
      const shim = await start();
      await shim.call('stop', { timeoutMs: STOP_MS });
      await shim.closed;
      expect(await volume.read('/file')).toBe('once\n');
    },
    BOOTS_MS,
  );
});

it('reaches every failpoint of the shim', async () => {
  const all: readonly Pass[] = [...passes.create, ...passes.start, ...passes.stop, 'directory.synced:1'];
  expect(pointsOf(all)).toEqual(failpointsOf('shim'));
});
