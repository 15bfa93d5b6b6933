import { parsePodUid, parseSandboxId } from '../../proto/ids.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import { type ProcessIdentity, sandboxRecord } from '../../proto/sandbox-record.ts';
import { spawnChild } from '../system/native/process.ts';
import { isAlive, readProcessIdentity } from '../system/native/process-identity.ts';
import { LOCK, O, SIG, sys } from '../system/native/sys.ts';
import { createNativeSystem } from '../system/native/system.ts';
import { expect, expectEqual, expectThrows, nativeTest } from '../system/native/testing.ts';
import type { ByteStream } from '../system/port.ts';
import { claimPodDirectory } from './pod-directory.ts';

const system = createNativeSystem();
const pathsIn = (directory: string) => podPaths(runPaths(directory), 'pod');

/** What a shim that was killed leaves behind. */
async function leaveBehind(directory: string, vmm: ProcessIdentity): Promise<void> {
  const paths = pathsIn(directory);
  const record = sandboxRecord.encode({
    id: parseSandboxId('pod'),
    podUid: parsePodUid('pod'),
    state: 'running',
    bundle: '/b',
    createdAtMs: 1,
    shim: { pid: 1, startTicks: 0 },
    vmm,
    choices: [],
    volumes: [],
    interfaces: [],
    containers: [],
  });
  await system.makeDirectory(paths.directory, 0o755);
  await system.writeFile(paths.record, sys.utf8Encode(record), { mode: 0o600, durable: false });
  await system.writeFile(paths.console, new Uint8Array(3), { mode: 0o600, durable: false });
}

function spawnSleep(stdout = -1) {
  const child = spawnChild({ argv: ['sleep', '60'], fds: [-1, stdout, 2] });
  const identity = readProcessIdentity(child.pid);
  if (identity === undefined) throw new Error('the child has gone');
  return { ...child, identity };
}

nativeTest('a pod directory has one owner, and is gone after it', async (directory) => {
  const paths = pathsIn(directory);
  const claim = await claimPodDirectory(system, paths);
  expectEqual(claim.former, undefined);
  expectEqual((sys.stat(paths.directory)?.mode ?? 0) & 0o777, 0o700);
  const clients: ByteStream[] = [];
  const listener = await system.listen(paths.shimSocket, (stream) => clients.push(stream));
  await expectThrows('exists', () => claimPodDirectory(system, paths));
  for (const client of clients) client.close();
  await listener.close();
  await system.writeFile(paths.record, new Uint8Array(1), { mode: 0o600, durable: false });
  await claim.release();
  await claim.release();
  expectEqual(sys.stat(paths.directory), null);
  await (await claimPodDirectory(system, paths)).release();
});

nativeTest('a shim that is dying while its socket still lets one in is waited for', async (directory) => {
  const paths = pathsIn(directory);
  const dying = await claimPodDirectory(system, paths);
  const listener = await system.listen(paths.shimSocket, (stream) => {
    stream.close();
    void dying.abandon();
  });
  const next = await claimPodDirectory(system, paths);
  await listener.close();
  await next.release();
});

nativeTest('of a dead shim, the VMM is killed and everything removed', async (directory) => {
  const orphan = spawnSleep();
  await leaveBehind(directory, orphan.identity);
  const claim = await claimPodDirectory(system, pathsIn(directory));
  expectEqual(claim.former?.vmm, orphan.identity);
  await claim.clear();
  expectEqual((await orphan.exited).signal, 9);
  expectEqual(await system.list(pathsIn(directory).directory), []);
  await claim.release();
});

nativeTest('a process that merely has the number of a dead VMM is left alone', async (directory) => {
  const stranger = spawnSleep();
  await leaveBehind(directory, { pid: stranger.pid, startTicks: stranger.identity.startTicks + 1 });
  const claim = await claimPodDirectory(system, pathsIn(directory));
  await claim.clear();
  await claim.release();
  expect(isAlive(stranger.identity), 'the stranger lives');
  sys.kill(stranger.pid, 9);
  await stranger.exited;
});

nativeTest('a VMM whose shim was killed before it was recorded is found and killed', async (directory) => {
  const paths = pathsIn(directory);
  await system.makeDirectory(paths.directory, 0o700);
  const log = sys.open(paths.vmmLog, O.WRONLY | O.CREAT, 0o600);
  const [unrecorded, stranger] = [spawnSleep(log), spawnSleep()];
  sys.close(log);
  const claim = await claimPodDirectory(system, paths);
  await claim.clear();
  expectEqual((await unrecorded.exited).signal, SIG.KILL);
  expect(isAlive(stranger.identity), 'the stranger lives');
  sys.kill(stranger.pid, SIG.KILL);
  await claim.release();
});

nativeTest('a claim waits for a killed shim whose last descriptor is on the way out', async (directory) => {
  const paths = pathsIn(directory);
  await system.makeDirectory(paths.directory, 0o700);
  const dying = sys.open(paths.directory, O.RDONLY | O.DIRECTORY);
  sys.flock(dying, LOCK.EX);
  setTimeout(() => sys.close(dying), 50);
  await (await claimPodDirectory(system, paths)).release();
});

nativeTest('what a killed shim left stays when the claim is given up before it is cleared', async (directory) => {
  const orphan = spawnSleep();
  await leaveBehind(directory, orphan.identity);
  await (await claimPodDirectory(system, pathsIn(directory))).abandon();
  expect(isAlive(orphan.identity), 'the VMM lives');
  const claim = await claimPodDirectory(system, pathsIn(directory));
  await claim.clear();
  await claim.abandon();
  expect(!isAlive(orphan.identity), 'the VMM is gone');
  expectEqual(sys.stat(pathsIn(directory).directory), null);
});

nativeTest('leftovers that cannot be read are kept, for they may name a VMM that runs', async (directory) => {
  const paths = pathsIn(directory);
  await system.makeDirectory(paths.directory, 0o700);
  await system.writeFile(paths.record, sys.utf8Encode('{"v": 9}'), { mode: 0o600, durable: false });
  await expectThrows('unsupported', () => claimPodDirectory(system, paths));
  await expectThrows('unsupported', () => claimPodDirectory(system, paths)); // and not `exists`: the claim was given up
  expect(sys.stat(paths.record) !== null, 'the record is there');
});
