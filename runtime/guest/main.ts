import '../system/native/polyfill.ts';
import { CONTROL_PORT, STDIO_PORT } from '../../proto/agent.ts';
import { StdioMux } from '../system/channel/stdio-mux.ts';
import { createLog, type Log } from '../system/log.ts';
import { writeAll } from '../system/native/file.ts';
import { adoptOrphans } from '../system/native/process.ts';
import { sys } from '../system/native/sys.ts';
import { createNativeSystem } from '../system/native/system.ts';
import { startTrace, TRACE_VARIABLE } from '../system/trace.ts';
import { bootGuest } from './boot.ts';
import { Containers } from './containers.ts';
import { giveToGroup } from './give-to-group.ts';
import { type HostPort, openHostPort } from './host-port.ts';
import { serveHost } from './serve-host.ts';
import { agentService } from './service.ts';
import { Shares } from './shares.ts';
import { Shutdown } from './shutdown.ts';
import { Volumes } from './volume.ts';

const CONSOLE = 2;
/** reboot(2). */
const POWER_OFF = 0x4321fedc;

/** PID 1, or a verb of the agent's own that it runs beside itself. */
async function main(): Promise<void> {
  if (sys.getpid() === 1) return runAgent();
  const [, verb, ...args] = sys.args();
  if (verb !== 'give-to-group') throw new Error('berth-agent is PID 1 of a pod VM; it does nothing elsewhere');
  giveToGroup(args);
}

/**
 * PID 1 of a pod VM. What nobody catches ends the VM: the native host logs it and switches off, and the pod's shim shows
 * the console's last lines.
 */
async function runAgent(): Promise<void> {
  adoptOrphans();
  const write = (line: string): void => writeAll(CONSOLE, sys.utf8Encode(line));
  startTrace(sys.env()[TRACE_VARIABLE], write);
  await bootGuest();
  const log = createLog(write, 'info');
  const system = createNativeSystem();
  const mux = new StdioMux();
  const volumes = new Volumes({ system, log });
  const containers = new Containers({ system, mux, volumes, shares: new Shares(), log });
  const shutdown = new Shutdown(containers, volumes, log);
  const [control, stdio] = await Promise.all([openHostPort(CONTROL_PORT), openHostPort(STDIO_PORT)]);
  log.info('agent ready', { sinceBootMs: Math.round(sys.now()) });
  const failure = carryStdio(stdio, mux, log);
  await Promise.race([serveHost(control, agentService(containers, volumes, shutdown), log, shutdown.done), failure]);
  sys.reboot(POWER_OFF);
}

/** Only what breaks the agent itself ends it; a host that speaks nonsense is waited for anew. */
async function carryStdio(port: HostPort, mux: StdioMux, log: Log): Promise<never> {
  for (;;) {
    const conversation = await port.accept();
    await mux.attach(conversation).catch((error: unknown) => log.warn('stdio channel given up', { error }));
  }
}

// A rejection that nobody handles is uncaught: the native host sees to it.
sys.main = () => void main();
