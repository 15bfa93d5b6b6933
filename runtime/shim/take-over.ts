import type { PodPaths } from '../../proto/paths.ts';
import type { Sandbox as SandboxRecord } from '../../proto/sandbox-record.ts';
import type { Log } from '../system/log.ts';
import { isAlive } from '../system/native/process-identity.ts';
import type { RunningVm, Vm, VmmDriver } from '../vmm/port.ts';
import type { PodDirectory } from './pod-directory.ts';

export interface Adoption {
  readonly record: SandboxRecord;
  readonly vm: Vm;
}

/**
 * What a killed shim left is adopted if it was whole and running, and cleared away otherwise: a pod that was being made or
 * ended has no state that its guest could be asked for. Afterwards there is a VM to go on with, or nothing.
 */
export async function takeOver(
  { former, clear }: PodDirectory,
  paths: PodPaths,
  driver: VmmDriver,
  log: Log,
): Promise<Adoption | undefined> {
  const running = former === undefined ? undefined : toRunningVm(former, paths);
  if (former !== undefined && running !== undefined && isAlive(running.process)) {
    try {
      const vm = await driver.adopt(running);
      log.warn('adopted the VM of a shim that was killed', { pid: running.process.pid, shim: former.shim.pid });
      return { record: former, vm };
    } catch (error) {
      log.error('the VM of a shim that was killed could not be adopted', { pid: running.process.pid, error });
    }
  }
  await clear();
  if (former !== undefined) log.warn('cleared what a killed shim left', { shim: former.shim.pid, state: former.state });
  return undefined;
}

/** Undefined unless the record is one of a pod that can be adopted. */
function toRunningVm({ state, vmm, containers }: SandboxRecord, paths: PodPaths): RunningVm | undefined {
  if (state !== 'running' || vmm === undefined || containers.length === 0) return undefined;
  return { process: vmm, controlSocket: paths.qmpSocket, log: paths.vmmLog };
}
