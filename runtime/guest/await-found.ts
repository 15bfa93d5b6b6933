import { Fault } from '../../proto/fault.ts';
import { sys } from '../system/native/sys.ts';

/** Devices appear without an event that we could wait for: no udev runs in the guest, and one look costs microseconds. */
const LOOK_EVERY_MS = 5;

/** What `find` finds, as soon as it does. Fault `timeout` naming `what` if it does not in time. */
export async function awaitFound<T>(what: string, timeoutMs: number, find: () => T | undefined): Promise<T> {
  const deadline = sys.now() + timeoutMs;
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    if (sys.now() > deadline) throw new Fault('timeout', `${what} did not appear within ${timeoutMs} ms`);
    await sleep(LOOK_EVERY_MS);
  }
}

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
