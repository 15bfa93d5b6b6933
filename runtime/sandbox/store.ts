import { type Sandbox, sandboxRecord } from '../../proto/sandbox-record.ts';
import type { System } from '../system/port.ts';
import { recordFile } from '../system/record-file.ts';

/** The pod's record as it is on disk. */
export interface SandboxStore {
  readonly current: Sandbox;
  /** Resolves when the change is on disk; changes get there in the order of the calls. */
  update(change: Partial<Sandbox>): Promise<void>;
}

/** Writes `initial` at once, so that whoever finds the directory finds out whose it is. */
export async function createStore(system: System, path: string, initial: Sandbox): Promise<SandboxStore> {
  const file = recordFile(system, sandboxRecord, path, { durable: false });
  await file.save(initial);
  let current = initial;
  let written: Promise<void> = Promise.resolve();
  return {
    get current() {
      return current;
    },
    update(change) {
      current = { ...current, ...change };
      const value = current;
      written = written.catch(() => {}).then(() => file.save(value));
      return written;
    },
  };
}
