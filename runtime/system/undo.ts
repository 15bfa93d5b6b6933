import { asFault, Fault } from '../../proto/fault.ts';
import type { Log } from './log.ts';

type Inverse = () => Promise<void> | void;

/**
 * What must be taken back if a sequence of effects does not reach its commit point. An inverse is registered before its
 * act, so that an act that fails half-way is undone too; inverses must therefore forgive that nothing is there.
 */
export class Undo {
  private readonly log: Log;
  private inverses: { name: string; inverse: Inverse }[] = [];

  constructor(log: Log) {
    this.log = log;
  }

  defer(name: string, inverse: Inverse): void {
    this.inverses.push({ name, inverse });
  }

  /** The commit point: from here on nothing is undone. */
  commit(): void {
    this.inverses = [];
  }

  /** Runs the inverses in reverse, each once, also when one fails. Returns what failed. */
  async unwind(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let step = this.inverses.pop(); step !== undefined; step = this.inverses.pop()) {
      try {
        await step.inverse();
        this.log.debug('undone', { step: step.name });
      } catch (error) {
        this.log.error('undo failed', { step: step.name, error });
        failures.push(error);
      }
    }
    return failures;
  }
}

/** Runs `body`; a throw unwinds what it deferred and is thrown on, with the failures of the undo among its causes. */
export async function withUndo<T>(log: Log, body: (undo: Undo) => Promise<T>): Promise<T> {
  const undo = new Undo(log);
  try {
    const result = await body(undo);
    undo.commit();
    return result;
  } catch (error) {
    const failures = await undo.unwind();
    if (failures.length === 0) throw error;
    const fault = asFault(error, 'internal', 'unexpected error');
    const cause = new AggregateError([fault.cause, ...failures], 'clearing up failed too');
    throw new Fault(fault.code, fault.message, { fields: fault.fields, cause });
  }
}
