import { once } from 'node:events';
import { asFault, describeError, Fault } from '../proto/fault.ts';
import { armFailpoint } from '../runtime/system/failpoint.ts';
import { createLog, type Log } from '../runtime/system/log.ts';
import { nodeFailpointHost } from '../runtime/system/node/failpoint-host.ts';
import { createNodeSystem } from '../runtime/system/node/system.ts';
import { startTrace, TRACE_VARIABLE } from '../runtime/system/trace.ts';
import { Undo } from '../runtime/system/undo.ts';
import { Attachments } from './attachments.ts';
import { createController } from './controller.ts';
import { type Flags, parseFlags, USAGE } from './flags.ts';
import type { HostCalls } from './host-calls.ts';
import { startHostProcess } from './host-process.ts';
import { DRIVER_NAME, DRIVER_VERSION, identity } from './identity.ts';
import { lockDirectory } from './instance-lock.ts';
import { createNode } from './node.ts';
import { openImageFilePool } from './pool/image-file/pool.ts';
import type { Pool } from './pool/port.ts';
import { startServer } from './server.ts';
import { toNodeKey } from './volume-id.ts';
import { Volumes } from './volumes.ts';

const USAGE_ERROR = 2;

/** `opened` closes whatever was opened, in reverse: after a failed start and at the end alike. */
async function start(flags: Flags, host: HostCalls, opened: Undo, log: Log): Promise<void> {
  const { socketPath, nodeId, stateDirectory, runDirectory } = flags;
  const owner = `berth-csi of node ${nodeId}, process ${process.pid}, endpoint unix://${socketPath}`;
  const system = createNodeSystem();
  await system.makeDirectory(stateDirectory, 0o700);
  const stateLock = await lockDirectory(host, stateDirectory, '--state-dir', owner);
  opened.defer('state directory', () => stateLock.release());

  const pools: Pool[] = [];
  for (const { name, directory } of flags.pools) {
    const options = { host, name, directory, stateDirectory, allowUnfit: flags.allowUnfitPool, owner };
    const pool = await openImageFilePool(options, log.with({ pool: name }));
    opened.defer(`pool ${name}`, () => pool.close());
    pools.push(pool);
  }

  const volumes = new Volumes(toNodeKey(nodeId), pools);
  const attachments = new Attachments(system, runDirectory);
  await attachments.sweep();
  const services = {
    Identity: identity,
    Controller: createController(volumes, attachments),
    Node: createNode(nodeId, volumes, attachments),
  };
  const server = await startServer(socketPath, services, log);
  opened.defer('server', () => server.close());
}

async function main(argv: readonly string[]): Promise<number> {
  const flags = parseFlags(argv);
  if (flags === 'help' || flags === 'version') {
    process.stdout.write(flags === 'help' ? USAGE : `berth-csi ${DRIVER_VERSION}\n`);
    return 0;
  }
  process.umask(0o077); // whatever this server makes is for root alone
  const stopSignal = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  const write = (line: string) => process.stderr.write(line);
  startTrace(process.env[TRACE_VARIABLE], write);
  armFailpoint(nodeFailpointHost);
  const log = createLog(write, flags.logLevel);
  const opened = new Undo(log);
  try {
    const host = await startHostProcess();
    opened.defer('helper process', () => host.close());
    await start(flags, host.calls, opened, log);
    log.info('serving', { driver: DRIVER_NAME, version: DRIVER_VERSION, socketPath: flags.socketPath });
    await Promise.race([stopSignal, host.closed.then(endOfHelper)]);
    log.info('stopping');
  } finally {
    await opened.unwind();
  }
  return 0;
}

/** Without it no verb can go on, and the locks that it held are free. */
function endOfHelper(reason: Fault): never {
  throw new Fault('environment', 'the helper process berth-csi-host has ended; start berth-csi again', {
    cause: reason,
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const fault = asFault(error, 'internal', 'unexpected error');
  process.stderr.write(`berth-csi: ${describeError(fault)}\n`);
  const isUsage = fault instanceof Fault && fault.fields['flag'] !== undefined;
  if (isUsage) process.stderr.write('Try berth-csi --help.\n');
  process.exitCode = isUsage ? USAGE_ERROR : 1;
}
