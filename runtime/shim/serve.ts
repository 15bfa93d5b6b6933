import { Fault } from '../../proto/fault.ts';
import { parsePodUid } from '../../proto/ids.ts';
import { podPaths, runPaths } from '../../proto/paths.ts';
import type { ProcessIdentity, Sandbox as SandboxRecord } from '../../proto/sandbox-record.ts';
import { createNativeHost } from '../sandbox/native-host.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import { createStore } from '../sandbox/store.ts';
import { createLog, type Log } from '../system/log.ts';
import { adoptOrphans } from '../system/native/process.ts';
import { readProcessIdentity } from '../system/native/process-identity.ts';
import { SIG, sys } from '../system/native/sys.ts';
import { type Connection, serve } from '../system/rpc/ttrpc-server.ts';
import { withUndo } from '../system/undo.ts';
import { within } from '../system/within.ts';
import { createQemuDriver } from '../vmm/qemu/driver.ts';
import type { ShimFlags } from './flags.ts';
import { claimPodDirectory } from './pod-directory.ts';
import { shimService } from './service.ts';
import { endStdout, redirectStderr, writeStderr, writeStdout } from './standard-streams.ts';
import { takeOver } from './take-over.ts';

/** The last line on standard output of a pod's process that listens. */
export const READY = 'ready\n';

/** What an orderly end may take when the shim itself is told to end. */
const STOP_TIMEOUT_MS = 30_000;
/** A client that does not read its last reply must not keep the shim. */
const LAST_REPLIES_MS = 5_000;

/** The pod's process, until the pod has ended. Throws what keeps it from listening; nothing is left then. */
export async function servePod(flags: ShimFlags): Promise<void> {
  adoptOrphans();
  const log = createLog(writeStderr, flags.debug ? 'debug' : 'info').with({ sandboxId: flags.id });
  const connections = new Set<Connection>();
  const sandbox = await openSandbox(flags, log, connections);
  stopOnSignal(sandbox, log);
  log.info('shim ready', { pid: sys.getpid() });
  writeStdout(READY);
  endStdout();
  await sandbox.ended;
  await within(LAST_REPLIES_MS, Promise.all([...connections].map((connection) => connection.drained())));
}

/** A sandbox that clients can reach. */
function openSandbox(flags: ShimFlags, log: Log, connections: Set<Connection>): Promise<Sandbox> {
  const host = createNativeHost();
  const run = runPaths(flags.runDirectory);
  const paths = podPaths(run, flags.id);
  return withUndo(log, async (undo) => {
    const directory = await claimPodDirectory(host.system, paths);
    undo.defer('directory', () => directory.abandon());
    redirectStderr(paths.shimLog);
    const createDriver = (qemu: string | undefined) => createQemuDriver({ system: host.system, log, binary: qemu });
    const adopted = await takeOver(directory, paths, createDriver(undefined), log);
    const initial = adopted === undefined ? newRecord(flags) : { ...adopted.record, shim: ownIdentity() };
    const store = await createStore(host.system, paths.record, initial);
    const sandbox = new Sandbox({
      id: flags.id,
      host,
      run,
      paths,
      store,
      log,
      createDriver,
      async release() {
        await listener.close();
        await directory.release();
      },
    });
    const service = shimService(sandbox);
    const listener = await host.system.listen(paths.shimSocket, (stream) => {
      const connection = serve(stream, service, log);
      connections.add(connection);
      void connection.ended.then(() => connections.delete(connection));
    });
    if (adopted !== undefined) sandbox.adopt(adopted.vm);
    return sandbox;
  });
}

function ownIdentity(): ProcessIdentity {
  const shim = readProcessIdentity(sys.getpid());
  if (shim === undefined) throw new Fault('environment', 'there is no /proc/self/stat; mount /proc');
  return shim;
}

function newRecord(flags: ShimFlags): SandboxRecord {
  return {
    id: flags.id,
    podUid: parsePodUid(flags.id),
    state: 'creating',
    bundle: flags.bundle,
    createdAtMs: Date.now(),
    shim: ownIdentity(),
    choices: [],
    containers: [],
    volumes: [],
    interfaces: [],
  };
}

/** A second signal changes nothing: stop() is the same promise's end. */
function stopOnSignal(sandbox: Sandbox, log: Log): void {
  const signals = sys.signalfd([SIG.TERM, SIG.INT]);
  const info = new Uint8Array(128);
  sys.watch(
    signals,
    () => {
      sys.read(signals, info);
      log.info('told to end', { signal: info[0] ?? 0 });
      void sandbox.stop(STOP_TIMEOUT_MS);
    },
    null,
  );
}
