import { hasErrno } from '../runtime/system/netlink/connection.ts';

const ATTEMPTS = 5;
const STEP_MS = 10;

/**
 * Runs `act` again, at most four times and each a little later, when the kernel says that the object is busy: it may be
 * taking away what another plugin has just deleted in the same place.
 */
export async function retryBusy<T>(sleep: (milliseconds: number) => Promise<void>, act: () => T): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return act();
    } catch (error) {
      if (attempt === ATTEMPTS || !hasErrno(error, 'EBUSY')) throw error;
      await sleep(attempt * STEP_MS);
    }
  }
}
