import { spawnChild } from '../system/native/process.ts';
import { sys } from '../system/native/sys.ts';
import { expect, expectEqual, expectThrows, nativeTest } from '../system/native/testing.ts';
import { sleep } from './await-found.ts';
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

/** Until a process waits in the kernel for the file system. */
const isWaiting = async (): Promise<boolean> => (await run('ps', '-eo', 'stat,args')).includes('D    /bin/sh');

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
