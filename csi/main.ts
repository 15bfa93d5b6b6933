import { once } from 'node:events';
import { asFault, describeError, Fault } from '../proto/fault.ts';
import { armFailpoint } from '../runtime/system/failpoint.ts';
import { createLog, type Log } from '../runtime/system/log.ts';
import { nodeFailpointHost } from '../runtime/system/node/failpoint-host.ts';
import { startTrace, TRACE_VARIABLE } from '../runtime/system/trace.ts';
import { Undo } from '../runtime/system/undo.ts';
import { startDriver } from './driver.ts';
import { parseFlags, USAGE } from './flags.ts';
import { startHostProcess } from './host-process.ts';
import { DRIVER_NAME, DRIVER_VERSION } from './identity.ts';

const USAGE_ERROR = 2;

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
    const server = await startDriver(flags, host.calls, opened, log);
    log.info('serving', { driver: DRIVER_NAME, version: DRIVER_VERSION, socketPath: flags.socketPath });
    const reason = await Promise.race([stopSignal.then(() => undefined), host.closed]);
    // Without it no verb can go on, and the locks that it held are free.
    if (reason !== undefined) abandon('the helper process berth-csi-host has ended', log, reason);
    log.info('stopping');
    if (!(await server.close())) abandon('verbs did not end in time', log);
  } finally {
    await opened.unwind();
  }
  return 0;
}

/**
 * Ends the process as it is. Unwinding would free pools for the next server while verbs of this one work on them; the
 * kernel frees them when nobody does any more.
 */
function abandon(message: string, log: Log, reason?: Fault): never {
  log.error(`ending at once: ${message}`, reason === undefined ? {} : { error: reason });
  process.exit(1);
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
