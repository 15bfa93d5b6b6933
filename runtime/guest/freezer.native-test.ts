import { silentLog } from '../system/log.ts';
import { spawnChild } from '../system/native/process.ts';
import { sys } from '../system/native/sys.ts';
import { createNativeSystem } from '../system/native/system.ts';
import { expect, expectEqual, expectThrows, nativeTest } from '../system/native/testing.ts';
import type { Command, Completed } from '../system/port.ts';
import { sleep } from './await-found.ts';
import { Freezer } from './freezer.ts';
import { formatRequest, run, storage, volumesOf, withDisk } from './testing.ts';
import type { Volumes } from './volume.ts';

/** Two mounted volumes, `v` at `v` and `w` at `w` of the directory. */
function withVolumes(directory: string, body: (volumes: Volumes) => Promise<void>): Promise<void> {
  for (const name of ['1', '2']) sys.mkdir(`${directory}/${name}`, 0o700);
  return withDisk(`${directory}/1`, (first) =>
    withDisk(`${directory}/2`, async (second) => {
      const volumes = volumesOf({ v: first.device, w: second.device });
      for (const serial of ['v', 'w']) {
        await volumes.format({ ...formatRequest(), serial });
        await volumes.mount(storage(`${directory}/${serial}`, { serial }));
      }
      try {
        await body(volumes);
      } finally {
        volumes.thawAll();
        volumes.unmountAll();
      }
    }),
  );
}

/** A program that writes a file; `isDone` once it could. */
function startWriter(path: string): { isDone: boolean; done: Promise<unknown> } {
  const writer = { isDone: false, done: Promise.resolve<unknown>(undefined) };
  writer.done = spawnChild({ argv: ['/bin/sh', '-c', `echo data >${path}`], fds: [-1, 1, 2] }).exited.then(() => {
    writer.isDone = true;
  });
  return writer;
}

/** Whether a process waits in the kernel for the file system; other letters than D are of its priority and terminal. */
const isWaiting = async (): Promise<boolean> => /^D\S* +\/bin\/sh/m.test(await run('ps', '-eo', 'stat,args'));

nativeTest('freezer: writers wait for the thaw, which says that all was frozen until then', (directory) =>
  withVolumes(directory, async (volumes) => {
    await volumes.freeze(['v', 'w'], 20_000);
    await volumes.freeze(['w', 'v'], 20_000);
    const writer = startWriter(`${directory}/w/file`);
    while (!(await isWaiting())) await sleep(5);
    expectEqual(writer.isDone, false);
    expect(volumes.measure('w').capacityBytes > 0, 'a frozen volume is measured');
    expectEqual(volumes.thaw(['v', 'w']), true);
    await writer.done;
    expectEqual(volumes.thaw(['v', 'w']), false);
    expect(sys.stat(`${directory}/w/file`) !== null, 'the file is there');
  }),
);

nativeTest('freezer: a freeze that nobody ends ends by itself, and the thaw says so', (directory) =>
  withVolumes(directory, async (volumes) => {
    await volumes.freeze(['v'], 1000);
    await startWriter(`${directory}/v/file`).done;
    expectEqual(volumes.thaw(['v']), false);
    await volumes.freeze(['v'], 20_000);
    expectEqual(volumes.thaw(['gone', 'v']), false);
    await startWriter(`${directory}/v/file`).done;
    await volumes.freeze(['v'], 1000);
    // Again, with more time: it starts anew.
    await volumes.freeze(['v'], 20_000);
    await sleep(1100);
    expectEqual(volumes.thaw(['v']), true);
  }),
);

/** A freezer whose programs only note that they ran; `hold` is waited for by those that write out. */
function noting(hold: Promise<void> = Promise.resolve()): { freezer: Freezer; ran: string[] } {
  const ran: string[] = [];
  const run = async ({ file, args }: Command): Promise<Completed> => {
    ran.push([file, args.at(-1)].join(' '));
    if (file === 'sync') await hold;
    return { exitCode: 0, stdout: new Uint8Array(), stderr: new Uint8Array() };
  };
  return { freezer: new Freezer({ ...createNativeSystem(), run }, silentLog), ran };
}

nativeTest('freezer: what is dirty is written out, of all of them, before any program must wait', async (directory) => {
  const { freezer, ran } = noting();
  const [v, w] = [`${directory}/v`, `${directory}/w`];
  await freezer.freeze([v, w], 20_000);
  expectEqual(ran.join(), [`sync ${v}`, `sync ${w}`, `fsfreeze ${v}`, `fsfreeze ${w}`].join());
  await freezer.freeze([v, w], 20_000);
  expectEqual(ran.length, 4);
  freezer.thawAll();
});

nativeTest('freezer: nothing is frozen for nobody when what is dirty takes longer than asked', async (directory) => {
  let release = (): void => {};
  const { freezer, ran } = noting(
    new Promise((resolve) => {
      release = resolve;
    }),
  );
  const freezing = freezer.freeze([directory], 1);
  await sleep(20);
  release();
  await expectThrows('timeout', () => freezing);
  expectEqual(ran.join(), `sync ${directory}`);
  expectEqual(freezer.isFrozen(directory), false);
});

nativeTest('freezer: all are frozen, or none; what another froze stays so', (directory) =>
  withVolumes(directory, async (volumes) => {
    await run('fsfreeze', '--freeze', `${directory}/w`);
    const fault = await expectThrows('exec', () => volumes.freeze(['v', 'w'], 20_000));
    expect(/fsfreeze.*busy/.test(String(fault)), String(fault));
    await startWriter(`${directory}/v/file`).done;
    await run('fsfreeze', '--unfreeze', `${directory}/w`);

    await volumes.freeze(['v'], 20_000);
    await run('fsfreeze', '--unfreeze', `${directory}/v`);
    expectEqual(volumes.thaw(['v']), false);
    await expectThrows('precondition', () => volumes.freeze(['v', 'x'], 20_000));
    await startWriter(`${directory}/v/again`).done;
    await expectThrows('invalid', () => volumes.freeze(['v'], 0));
  }),
);

nativeTest('freezer: one whose time is over before it is frozen is thawed as soon as it is', (directory) =>
  withVolumes(directory, async (volumes) => {
    const freezing = volumes.freeze(['v'], 20_000);
    expectEqual(volumes.thaw(['v']), false);
    await expectThrows('busy', () => volumes.freeze(['v'], 20_000));
    await expectThrows('timeout', () => freezing);
    await startWriter(`${directory}/v/file`).done;
    await volumes.freeze(['v'], 20_000);
    expectEqual(volumes.thaw(['v']), true);
  }),
);
