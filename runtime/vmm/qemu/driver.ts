import { Fault } from '../../../proto/fault.ts';
import type { Log } from '../../system/log.ts';
import { readProcessIdentity } from '../../system/native/process-identity.ts';
import type { System } from '../../system/port.ts';
import { withUndo } from '../../system/undo.ts';
import type { VmExit, VmmDriver } from '../port.ts';
import { adoptQemu } from './adopted-process.ts';
import { QEMU } from './binary.ts';
import { probeCapabilities } from './capabilities.ts';
import { type QemuProcess, spawnQemu } from './qemu-process.ts';
import { QmpClient } from './qmp.ts';
import { QemuVm } from './vm.ts';

/** QEMU answers within 50 ms of its start; a host that swaps may take seconds. */
const QMP_TIMEOUT_MS = 20_000;
const EXIT_NEWS_MS = 1_000;
/** This program, also when its file has been replaced since. */
const OWN_JAIL = ['/proc/self/exe', 'jail'];

export interface QemuOptions {
  readonly system: System;
  readonly log: Log;
  /** Path of the program, or its name in the PATH. */
  readonly binary?: string | undefined;
  /** As in QemuProgram; without it, the verb `jail` of this program. */
  readonly jail?: readonly string[];
}

export function createQemuDriver({ system, log, binary = QEMU, jail = OWN_JAIL }: QemuOptions): VmmDriver {
  return {
    probe: () => probeCapabilities(system, { binary, jail }),
    start: (spec, options) =>
      withUndo(log, async (undo) => {
        undo.defer('sockets', async () => {
          for (const path of [spec.controlSocket, ...spec.ports.map(({ socket }) => socket)]) await system.remove(path);
        });
        const qemu = spawnQemu(system, { binary, jail }, spec, options);
        undo.defer('QEMU', () => qemu.kill());
        const identity = readProcessIdentity(qemu.pid);
        if (identity === undefined) throw endedFault(await qemu.exited);
        await options.onProcess(identity);
        const monitor = await openMonitor(system, spec.controlSocket, qemu, log);
        return new QemuVm(qemu, identity, monitor);
      }),
    async adopt({ process, controlSocket, log: words }) {
      const monitor = await connectMonitor(system, controlSocket, log);
      return new QemuVm(adoptQemu(system, process, monitor.closed, words), process, monitor);
    },
  };
}

/** QEMU opens its images and devices before it greets: a monitor that answers is a machine that is whole. */
async function openMonitor(system: System, path: string, qemu: QemuProcess, log: Log): Promise<QmpClient> {
  const ended = qemu.exited.then((exit): never => {
    throw endedFault(exit);
  });
  const opened = connectMonitor(system, path, log).catch(async (error: unknown) => {
    // The connection breaks a moment before the end is known, and the end says why.
    await Promise.race([ended, system.sleep(EXIT_NEWS_MS)]);
    throw error;
  });
  const monitor = await Promise.race([opened, ended]);
  ended.catch(() => monitor.close());
  return monitor;
}

async function connectMonitor(system: System, path: string, log: Log): Promise<QmpClient> {
  const onEvent = (event: string, data: unknown) =>
    // Out of space: QEMU stops the guest at the write, and nothing else tells anybody.
    event === 'BLOCK_IO_ERROR' ? log.warn('disk error', { data }) : log.debug('QEMU event', { event, data });
  return QmpClient.connect(await system.connect(path), { timeoutMs: QMP_TIMEOUT_MS, onEvent });
}

function endedFault({ code, signal, lastWords }: VmExit): Fault {
  const how = signal > 0 ? `was killed by signal ${signal}` : `exited with status ${code}`;
  return new Fault('exec', `QEMU ${how} before it was ready${lastWords === '' ? '' : `: ${lastWords}`}`, {
    fields: { signal, ...(code === undefined ? {} : { code }) },
  });
}
