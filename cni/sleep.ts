import { sys } from '../runtime/system/native/sys.ts';

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    sys.setTimer(milliseconds, resolve);
  });
