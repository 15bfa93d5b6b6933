import { Fault } from '../../proto/fault.ts';
import { EAGAIN, LOCK, O, sys } from '../../runtime/system/native/sys.ts';
import { orRefuse } from './refusal.ts';

/** Locks that this process holds: each is an open file, and free when it is closed. */
const held = new Map<number, number>();
let lastId = 0;

export function tryLock(path: string): { held: boolean; lockId: number } {
  return orRefuse(`could not lock ${path}`, path, () => {
    const fd = sys.open(path, O.RDWR);
    try {
      if (sys.flock(fd, LOCK.EX | LOCK.NB) === EAGAIN) {
        sys.close(fd);
        return { held: false, lockId: 0 };
      }
    } catch (error) {
      sys.close(fd);
      throw error;
    }
    lastId += 1;
    held.set(lastId, fd);
    return { held: true, lockId: lastId };
  });
}

export function unlock(lockId: number): void {
  const fd = held.get(lockId);
  if (fd === undefined) throw new Fault('not-found', `no lock ${lockId} is held`, { fields: { lockId } });
  held.delete(lockId);
  sys.close(fd);
}
